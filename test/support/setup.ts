/** Before each test file: the environment of a function, a separate table, and logs recorded instead of printed. */
import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, vi } from 'vitest'
import { createTable } from '../../local/engine.ts'
import { auditKeyId, createKms, kmsKeyId } from '../../local/kms.ts'
import { createSqs, deliveryDeadLettersUrl, deliveryQueueUrl } from '../../local/sqs.ts'
import { startEventBus } from './event-bus.ts'
import { catchLogs } from './logs.ts'
import { startStripe, stopStripe } from './stripe.ts'

const endpoint = process.env.DYNAMODB_ENDPOINT ?? ''
const tableName = `test-${randomUUID()}`
const { stackTraceLimit } = Error
const environmentBefore = { ...process.env }

Object.assign(process.env, {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
  AWS_ENDPOINT_URL_DYNAMODB: endpoint,
  TABLE_NAME: tableName,
  STAGE: 'test',
  BILLING_OVERRIDE: 'on',
  SERVICE_VERSION: '0.0.0-test',
  SECRETS_KEY_ID: kmsKeyId,
  AUDIT_KEY_ID: auditKeyId,
  SIGN_IN_PROVIDERS: 'google,github',
  MAIL_SENDER: 'alerts@octomil.test',
  OUTBOUND_ALLOWED_CIDRS: '127.0.0.0/8,::1/128',
  STRIPE_SECRET_KEY: 'sk_test_local',
  STRIPE_WEBHOOK_SECRET: 'whsec_local',
  DASHBOARD_ORIGINS: 'https://dashboard.example.com,https://console.example.com',
})

const letLogsPass = catchLogs()
beforeAll(async () => {
  await createTable(endpoint, tableName)
  const servers = [await startKms(), await startStripe(), await startEventBus(), await startQueues()]
  return () => {
    for (const server of servers) {
      server.closeAllConnections()
      server.close()
    }
  }
})

// A worker keeps only its loaded packages for the next file. Our modules are evaluated again.
afterAll(async () => {
  vi.useRealTimers()
  letLogsPass()
  await stopStripe()
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, environmentBefore)
  Error.stackTraceLimit = stackTraceLimit
  vi.resetModules()
})

/** A separate KMS for this test file, with its own key. */
async function startKms(): Promise<Server> {
  const handle = createKms()
  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  process.env.AWS_ENDPOINT_URL_KMS = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return server
}

/** Queues that keep their messages: no function receives them. */
async function startQueues(): Promise<Server> {
  const queues = createSqs({ receive: async () => ({ batchItemFailures: [] }), pollEveryMs: 2 ** 30 })
  const server = createServer((request, response) => void queues.handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_SQS: url,
    DELIVERY_QUEUE_URL: deliveryQueueUrl(url),
    DELIVERY_DEAD_LETTERS_URL: deliveryDeadLettersUrl(url),
  })
  return server
}
