/** Read and write units of each operation: its billed amount, independent of the machine's speed. */
import type { OperationName } from '../functions/operations.ts'
import { eventIdOf, eventPrefix } from '../shared/audit/event-rows.ts'
import { queryPage } from '../shared/table/query.ts'
import { orgPartition } from '../shared/table/rows.ts'
import { signIfDue } from '../shared/trail/checkpoints.ts'
import { sealEvents, sealOrg } from '../shared/trail/seal.ts'
import type { Request } from '../test/support/invoke.ts'
import { memberOf } from '../test/support/readable.ts'
import { callOperation } from './call.ts'
import { type Consumed, consumedBy } from './consumed.ts'
import { type BenchOrg, makeEnterpriseOrg, makeOrg, seedKeys } from './fixture.ts'
import type { Budget, Report, TableRow } from './report.ts'

const listedKeys = 50
const busyRequests = 200
const sealedCreates = 200

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
  const busy = await busyCaller()
  rows.push(...busy.rows)
  const note =
    'The engine reports units (ReturnConsumedCapacity) with the rounding of DynamoDB: a consistent read 1 per 4 KB, a write 1 per KB, in a transaction 2. Authentication is one GetItem of each operation; an UpdateItem 1 beside it counts requests against the rate limit. The last rows are means: of a caller in one process without a pause, and of the sealer, with one event per block and with all in one block. The engine does not report refused writes; DynamoDB bills them like successful ones.'
  return { tables: [{ title: 'Table units per operation', rows, note }], budgets: busy.budgets }
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

/** Means of a caller that sends many requests, where one write can count several of them, and of sealing its changes. */
async function busyCaller(): Promise<{ rows: TableRow[]; budgets: Budget[] }> {
  const org = await makeEnterpriseOrg()
  const repeat = async (count: number, work: () => Promise<unknown>) => {
    for (let done = 0; done < count; done++) await work()
  }
  const create = () => callOperation('api-keys/create', org, { body: orgKey })
  const seal = async () => {
    await sealOrg(org.orgId, new Date())
    await signIfDue(org.orgId, new Date())
  }
  // The first block of an org is signed at once, later ones at most once an hour.
  await seal()
  const mean = async (count: number, work: () => Promise<unknown>) => meanOf(await consumedBy(work), count)
  const read = await mean(busyRequests, () => repeat(busyRequests, () => callOperation('api-keys/scopes', org, {})))
  const creations = await consumedBy(() => repeat(sealedCreates, create))
  const created = meanOf(creations, sealedCreates)
  const leases = leaseUnits(creations) / sealedCreates
  const together = await mean(sealedCreates, seal)
  const alone = await sealedAlone(org, create)
  return {
    rows: [
      toMeanRow(`scopes, mean of ${busyRequests}`, read),
      toMeanRow(`create, mean of ${sealedCreates}`, created),
      toMeanRow(`sealing ${sealedCreates} events in one block, each`, together),
      toMeanRow(`sealing an event in a block of its own`, alone),
    ],
    budgets: [
      budget(`read units of a busy caller’s request, mean of ${busyRequests}`, read.readUnits, 1.2),
      budget(`write units of a busy caller’s request, mean of ${busyRequests}`, read.writeUnits, 0.2),
      budget(`write units of a create’s rate-limit leases, mean of ${sealedCreates}`, leases, 0.2),
      budget('write units of a create beside them', created.writeUnits - leases, 6),
      budget('and sealed in a block of its own', created.writeUnits - leases + alone.writeUnits, 9),
    ],
  }
}

/** Counters of rate limits are updates outside of a transaction. */
const leaseUnits = ({ calls }: Consumed): number =>
  calls.reduce((sum, call) => sum + Number(/^UpdateItem (\d+)$/.exec(call)?.[1] ?? 0), 0)

/** Seals as the sealer does: by the ids that the stream names. */
async function sealedAlone({ orgId }: BenchOrg, create: () => Promise<unknown>): Promise<Mean> {
  const total: Mean = { readUnits: 0, writeUnits: 0 }
  const events = 10
  for (let event = 0; event < events; event++) {
    await create()
    const page = { partition: orgPartition(orgId), prefix: eventPrefix, limit: 1, newestFirst: true, after: undefined }
    const ids = (await queryPage(page)).rows.map(eventIdOf)
    const { readUnits, writeUnits } = await consumedBy(async () => {
      await sealEvents(orgId, ids, new Date())
      await signIfDue(orgId, new Date())
    })
    total.readUnits += readUnits
    total.writeUnits += writeUnits
  }
  return meanOf(total, events)
}

type Mean = Pick<Consumed, 'readUnits' | 'writeUnits'>

const meanOf = ({ readUnits, writeUnits }: Mean, count: number): Mean => ({
  readUnits: readUnits / count,
  writeUnits: writeUnits / count,
})

const toMeanRow = (operation: string, { readUnits, writeUnits }: Mean): TableRow => ({
  operation,
  read: readUnits.toFixed(1),
  write: writeUnits.toFixed(1),
  calls: '',
})

/** Compares with one decimal: a few requests at the start and the counter's leases add less. */
const budget = (what: string, value: number, limit: number): Budget => ({
  what,
  measured: value.toFixed(1),
  limit: limit.toFixed(1),
  isKept: Number(value.toFixed(1)) <= limit,
})

const toRow = (operation: string, { readUnits, writeUnits, calls }: Consumed): TableRow => ({
  operation,
  read: String(readUnits),
  write: String(writeUnits),
  calls: [...calls].sort().join(', '),
})
