/** The kinds of requests on the cost page, each with the rows that it needs. */
import { setTimeout as pause } from 'node:timers/promises'
import { callOperation } from '../bench/call.ts'
import { type BenchOrg, deadline, seedKeys, seedUsableKeys } from '../bench/fixture.ts'
import type { OperationName } from '../functions/operations.ts'
import { generateRawKey } from '../shared/auth/api-key.ts'
import { windowMinutes } from '../shared/execution/health.ts'
import { countReports } from '../shared/execution/health-entity.ts'
import { reporterNamed } from '../shared/execution/report-entity.ts'
import type { Request } from '../test/support/invoke.ts'
import { startProvider } from '../test/support/provider.ts'
import { memberOf } from '../test/support/readable.ts'
import type { estimates } from './assumptions.ts'
import type { deliveryNames } from './delivery.ts'
import { reportedCounts } from './minute-row.ts'
import type { sealerSteps } from './sealer.ts'

export interface Step {
  operation: OperationName
  /** Prepares an org and returns `count` requests. */
  requests(org: BenchOrg, count: number): Promise<Request[]>
  callsProvider?: true
}

const same = (request: Request) => async (_: BenchOrg, count: number) => Array.from({ length: count }, () => request)
const numbered = (count: number, request: (index: number) => Request) =>
  Array.from({ length: count }, (_, index) => request(index))

const orgKey = { name: 'Bench key', scopes: ['models:read'] }
const pageLength = 50

/** A report of this many targets. */
const reportOf = (targets: number): Step => ({
  operation: 'execution/report',
  requests: async (org, count) => {
    const ids = await seedTargets(org, targets)
    const reports = ids.map((target_id) => ({ target_id, started: 20, succeeded: 20, failed: 0, inflight: 2 }))
    return numbered(count, () => ({ body: { reports } }))
  },
})

/** A read of health with this many targets. */
const healthOf = (targets: number): Step => ({
  operation: 'execution/health',
  requests: async (org, count) => {
    const ids = await seedTargets(org, targets)
    await untilMinuteHasRoom()
    await seedMinutes(org.orgId, ids)
    return numbered(count, () => ({}))
  },
})

/** A report of usage, in records without ids. */
const usageOf = (count: number): Step => ({
  operation: 'usage/record',
  requests: same({
    body: { records: Array.from({ length: count }, () => ({ metric: 'hosted_requests_monthly', add: 1 })) },
  }),
})

export const steps = {
  'refused, unknown key': {
    operation: 'api-keys/get',
    requests: async ({ keyId }, count) =>
      numbered(count, () => ({ params: { key_id: keyId }, token: generateRawKey('org', 'live').rawKey })),
  },
  'read one': {
    operation: 'api-keys/get',
    requests: async ({ keyId }, count) => numbered(count, () => ({ params: { key_id: keyId } })),
  },
  [`list, a page of ${pageLength}`]: {
    operation: 'api-keys/list',
    requests: async ({ orgId }, count) => {
      await seedKeys(orgId, pageLength)
      return numbered(count, () => ({ query: { limit: String(pageLength) } }))
    },
  },
  create: { operation: 'api-keys/create', requests: same({ body: orgKey }) },
  'create with an Idempotency-Key': {
    operation: 'api-keys/create',
    requests: async (_, count) =>
      numbered(count, (index) => ({ body: orgKey, headers: { 'idempotency-key': `bench-${index}` } })),
  },
  'connect a provider': {
    operation: 'cloud-connections/create',
    requests: async (_, count) => {
      const body = await connection()
      return numbered(count, () => ({ body }))
    },
    callsProvider: true,
  },
  update: {
    operation: 'org-settings/update',
    requests: async (_, count) => numbered(count, (index) => ({ body: { auto_rollback_enabled: index % 2 === 0 } })),
  },
  delete: {
    operation: 'integrations/delete',
    requests: async (org, count) => {
      const ids = await made(org, 'integrations/create', count, { type: 'slack', name: 'alerts' })
      return ids.map((integration_id) => ({ params: { integration_id } }))
    },
  },
  'test a connection': {
    operation: 'cloud-connections/test',
    requests: async (org, count) => {
      const [connection_id = ''] = await made(org, 'cloud-connections/create', 1, await connection())
      return numbered(count, () => ({ params: { connection_id } }))
    },
    callsProvider: true,
  },
  'report, 1 target': reportOf(1),
  'report, 3 targets': reportOf(3),
  'report, 100 targets': reportOf(100),
  'health, 1 target': healthOf(1),
  'health, 3 targets': healthOf(3),
  'health, 200 targets': healthOf(200),
  introspection: {
    operation: 'api-keys/introspect',
    requests: async ({ orgId }, count) => {
      const [token] = await seedUsableKeys(orgId, 1)
      return numbered(count, () => ({ body: { token } }))
    },
  },
  'usage, 1 record': usageOf(1),
  'usage, 100 records': usageOf(100),
  'read execution, 3 targets': {
    operation: 'execution/get',
    requests: async (org, count) => {
      await seedTargets(org, 3)
      return numbered(count, () => ({}))
    },
  },
} as const satisfies Record<string, Step>

export type StepName =
  | keyof typeof steps
  | keyof typeof sealerSteps
  | (typeof deliveryNames)[number]
  | keyof typeof estimates

/** Creates resources through the API and returns their ids. */
async function made(org: BenchOrg, operation: OperationName, count: number, body: object): Promise<string[]> {
  const ids: string[] = []
  for (let index = 0; index < count; index++)
    ids.push(memberOf((await callOperation(operation, org, { body })).body, 'id') as string)
  return ids
}

const seedTargets = (org: BenchOrg, count: number): Promise<string[]> =>
  made(org, 'execution/create-local-target', count, {
    ...{ name: 'gpu box', endpoint: 'https://inference.example.com/v1', runtime: 'vllm' },
  })

/** DynamoDB's maximum of rows per transaction. */
const batchLimit = 100

/** Writes one report per target for each minute of the window. */
async function seedMinutes(orgId: string, ids: readonly string[]): Promise<void> {
  for (let minute = 0; minute < windowMinutes; minute++) {
    const now = new Date(Date.now() - minute * 60_000)
    for (let from = 0; from < ids.length; from += batchLimit) {
      const reports = ids.slice(from, from + batchLimit).map((targetId) => ({ targetId, ...reportedCounts }))
      await countReports(orgId, reporterNamed('server-1'), reports, {
        requestId: `${now.getTime()}`,
        now,
        deadline: deadline(),
      })
    }
  }
}

/** Read units depend on the minutes in the window, so no minute may end between seeding and measuring. */
async function untilMinuteHasRoom(): Promise<void> {
  const leftMs = 60_000 - (Date.now() % 60_000)
  if (leftMs < neededMs) await pause(leftMs)
}
const neededMs = 15_000

let provider: ReturnType<typeof startProvider> | undefined

async function connection() {
  provider ??= startProvider()
  const base_url = `${(await provider).url}/v1`
  return { provider: 'openai_compatible', name: 'gateway', api_key: 'sk-bench-0123456789abcdef', base_url }
}
