/** Read and write units of each operation: its billed amount, independent of the machine's speed. */
import type { OperationName } from '../functions/operations.ts'
import type { Request } from '../test/support/invoke.ts'
import { memberOf } from '../test/support/readable.ts'
import { callOperation } from './call.ts'
import { type Consumed, consumedBy } from './consumed.ts'
import { type BenchOrg, makeOrg, seedKeys } from './fixture.ts'
import type { Report, TableRow } from './report.ts'

const listedKeys = 50

const orgKey = { name: 'Bench key', scopes: ['models:read'] }
const adminKey = { name: 'Bench key', scopes: ['admin:write', 'models:read', 'models:write', 'rollouts:write'] }

export async function measureUnits(): Promise<Report> {
  const org = await makeOrg()
  await seedKeys(org.orgId, listedKeys)
  const call = (name: OperationName, request: Request = {}) => callOperation(name, org, request)
  const firstUse = await consumedBy(() => call('api-keys/scopes'))
  const steps: [string, () => Promise<unknown>][] = [
    ['scopes', () => call('api-keys/scopes')],
    ['get', () => call('api-keys/get', { params: { key_id: org.keyId } })],
    [`list, a page of ${listedKeys}`, () => call('api-keys/list', { query: { limit: String(listedKeys) } })],
    ['list, a page filtered by state', () => call('api-keys/list', { query: { state: 'revoked' } })],
    ['create', () => call('api-keys/create', { body: orgKey })],
    ['create with many scopes', () => call('api-keys/create', { body: adminKey })],
    ['create, once only', () => call('api-keys/create', { body: orgKey, headers: { 'idempotency-key': 'bench' } })],
    [
      'the same again: replayed',
      () => call('api-keys/create', { body: orgKey, headers: { 'idempotency-key': 'bench' } }),
    ],
    ['create-app-key', () => call('api-keys/create-app-key', { body: { name: 'Bench app', app_id: 'app-1' } })],
    ['create-publishable-key', () => call('api-keys/create-publishable-key', { body: { name: 'Bench page' } })],
    ['audit-events list, a page of 5', () => call('audit-events/list', { query: { limit: '5' } })],
  ]
  const rows: TableRow[] = [toRow('first use of a key in 4 minutes: scopes', firstUse)]
  for (const [name, step] of steps) rows.push(toRow(name, await consumedBy(step)))
  rows.push(...(await endsOfKeys(org)))
  const note =
    'The engine reports units (ReturnConsumedCapacity) with the rounding of DynamoDB: a consistent read 1 per 4 KB, a write 1 per KB, in a transaction 2. Authentication is GetItem 1 of each operation; an UpdateItem 1 is a lease of the rate limit, for several requests. The engine does not report refused writes; DynamoDB bills them like successful ones.'
  return { tables: [{ title: 'Table units per operation', rows, note }] }
}

async function endsOfKeys(org: BenchOrg): Promise<TableRow[]> {
  const rows: TableRow[] = []
  for (const name of ['rotate', 'revoke'] as const) {
    const { body } = await callOperation('api-keys/create', org, { body: orgKey })
    const request = { params: { key_id: memberOf(body, 'id') as string } }
    rows.push(toRow(name, await consumedBy(() => callOperation(`api-keys/${name}`, org, request))))
  }
  return rows
}

const toRow = (operation: string, { readUnits, writeUnits, calls }: Consumed): TableRow => ({
  operation,
  read: String(readUnits),
  write: String(writeUnits),
  calls: [...calls].sort().join(', '),
})
