/** Starts a real engine with the table, sets this process's environment like a function's, and makes organizations. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BatchWriteCommand } from '@aws-sdk/lib-dynamodb'
import { createTable, enableStream, startEngine } from '../local/engine.ts'
import { auditKeyId, createKms, kmsKeyId } from '../local/kms.ts'
import { insertKey, issueKey, keyCreated } from '../shared/api-keys/issue.ts'
import { takePlace } from '../shared/api-keys/limit.ts'
import type { KeyDefinition } from '../shared/api-keys/record.ts'
import { append } from '../shared/audit/append.ts'
import { templateScopes } from '../shared/auth/scopes.ts'
import { newId } from '../shared/ids.ts'
import { setPlan } from '../shared/operator/orgs.ts'
import { log } from '../shared/runtime/log.ts'
import { commit } from '../shared/storage/commit.ts'
import { table, tableName } from '../shared/table/client.ts'

export interface Fixture {
  endpoint: string
  stop(): Promise<void>
}

const benchTable = 'bench'

/** A wrong `DYNAMODB_ENDPOINT` is the user's to correct, so it prints no stack trace. */
export const explainEngine = ({ message }: Error): string | undefined =>
  message.startsWith('DYNAMODB_ENDPOINT') ? message : undefined

/** Starts the engine, in memory, and the local KMS. Child processes inherit the environment that is set here. */
export async function startFixture(): Promise<Fixture> {
  const engine = await startEngine()
  Object.assign(process.env, {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    AWS_ENDPOINT_URL_DYNAMODB: engine.endpoint,
    TABLE_NAME: benchTable,
    STAGE: 'bench',
    AWS_ENDPOINT_URL_KMS: await startKms(),
    SECRETS_KEY_ID: kmsKeyId,
    AUDIT_KEY_ID: auditKeyId,
  })
  await createTable(engine.endpoint, benchTable)
  // This process prints tables. The servers in child processes log like deployed functions.
  log.setLogLevel('SILENT')
  return { endpoint: engine.endpoint, stop: engine.stop }
}

let streamedTables = 0

/** Runs `work` on a new table with a stream, so that no earlier record slows it down. Child processes inherit its name. */
export async function onStreamedTable<T>(work: () => Promise<T>): Promise<T> {
  const name = `${benchTable}-${++streamedTables}`
  const endpoint = process.env.AWS_ENDPOINT_URL_DYNAMODB ?? ''
  await createTable(endpoint, name)
  await enableStream(endpoint, name)
  process.env.TABLE_NAME = name
  return work().finally(() => {
    process.env.TABLE_NAME = benchTable
  })
}

/** The local KMS does not keep this process alive. */
async function startKms(): Promise<string> {
  const handle = createKms()
  const server = createServer((request, response) => void handle(request, response)).unref()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export interface BenchOrg {
  orgId: string
  keyId: string
  rawKey: string
}

const system = { type: 'system', id: 'bench' } as const

/** Who does it and until when, for a commit of the bench itself. */
export const requestContext = (orgId: string) => ({ orgId, actor: system, now: new Date(), requestId: 'bench' })
export const deadline = (): Date => new Date(Date.now() + 20_000)

const definition: KeyDefinition = {
  name: 'Bench key',
  key_type: 'org',
  scopes: templateScopes('full_admin'),
  environment: 'live',
  // No run reaches this many requests a minute.
  rate_limit_per_minute: 100_000,
}

/** An organization with one key that has all scopes. */
export async function makeOrg(): Promise<BenchOrg> {
  const orgId = newId('org')
  const now = new Date()
  const issued = issueKey(definition, system, now)
  await takePlace(orgId, now)
  await commit(keyCreated(orgId, issued), requestContext(orgId), deadline())
  return { orgId, keyId: issued.key.id, rawKey: issued.rawKey }
}

/** An organization with one key, on the plan that has no limit of keys. */
export async function makeEnterpriseOrg(): Promise<BenchOrg> {
  const org = await makeOrg()
  await setPlan(org.orgId, 'enterprise', { name: 'bench', requestId: 'bench', deadline: deadline() })
  return org
}

export const makeOrgs = (count: number): Promise<BenchOrg[]> => Promise.all(Array.from({ length: count }, makeOrg))

/** Adds key records as a creation stores them, but without audit events: the fastest way to a large org. */
export const seedKeys = (orgId: string, count: number): Promise<void> =>
  putRows(count, () => {
    const [record] = insertKey(orgId, issueKey(definition, system, new Date()))
    return record?.item.Put?.Item
  })

/** Adds keys that work, without audit events, and returns their raw values. */
export async function seedUsableKeys(orgId: string, count: number): Promise<string[]> {
  const issued = Array.from({ length: count }, () => issueKey(definition, system, new Date()))
  const rows = issued.flatMap((key) => insertKey(orgId, key)).map(({ item }) => item.Put?.Item)
  await putRows(rows.length, (index) => rows[index])
  return issued.map(({ rawKey }) => rawKey)
}

/** Appends audit events. */
export async function seedEvents(orgId: string, count: number): Promise<void> {
  const draft = { action: 'api_key.created', resource: { type: 'api_key' }, result: 'success', changes: [] } as const
  await putRows(count, () => append({ ...draft, changes: [] }, requestContext(orgId), new Date()).write.item.Put?.Item)
}

/** DynamoDB's maximum of rows per BatchWriteItem. */
const batchLimit = 25

/** Puts rows in batches. */
export async function putRows(
  count: number,
  row: (index: number) => Record<string, unknown> | undefined,
): Promise<void> {
  for (let done = 0; done < count; done += batchLimit) {
    const rows = Array.from({ length: Math.min(batchLimit, count - done) }, (_, index) => ({
      PutRequest: { Item: row(done + index) },
    }))
    await table().send(new BatchWriteCommand({ RequestItems: { [tableName()]: rows } }))
  }
}
