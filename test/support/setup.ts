/** Before each test file: the environment of a function, a table of its own, and logs caught instead of printed. */
import { randomUUID } from 'node:crypto'
import { beforeAll } from 'vitest'
import { createTable } from '../../local/engine.ts'
import { catchLogs } from './logs.ts'

const endpoint = process.env.DYNAMODB_ENDPOINT ?? ''
const tableName = `test-${randomUUID()}`

Object.assign(process.env, {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
  AWS_ENDPOINT_URL_DYNAMODB: endpoint,
  TABLE_NAME: tableName,
  STAGE: 'test',
  SERVICE_VERSION: '0.0.0-test',
})

catchLogs()
beforeAll(() => createTable(endpoint, tableName))
