/** Compares our pipeline with Hono and zod: the same gateway events in one process, on the same entities. */
import { type OperationName, operations } from '../functions/operations.ts'
import type { Operation } from '../shared/http/operation.ts'
import { eventFor, handlerOf, type Request } from '../test/support/invoke.ts'
import { type BenchOrg, makeOrg, seedKeys } from './fixture.ts'
import { captureLog } from './log.ts'
import { median, ms, type Report, ratio, type TableRow } from './report.ts'

const slices = 10
const requestsPerSlice = 100
const warmUpRequests = 300
const listedKeys = 50

const newKey = { name: 'Bench key', scopes: ['models:read', 'devices:register'], environment: 'live' }

interface Scenario {
  name: string
  operation: OperationName
  request(org: BenchOrg): Request
  status: number
}

const scenarios: readonly Scenario[] = [
  { name: 'health (no caller, no table)', operation: 'meta/health', request: () => ({}), status: 200 },
  {
    name: 'create, refused for three fields',
    operation: 'api-keys/create',
    request: () => ({ body: { name: '', scopes: ['models:write', 'nothing'], colour: 'red' } }),
    status: 400,
  },
  { name: 'scopes (authentication alone)', operation: 'api-keys/scopes', request: () => ({}), status: 200 },
  {
    name: 'get (and one read)',
    operation: 'api-keys/get',
    request: ({ keyId }) => ({ params: { key_id: keyId } }),
    status: 200,
  },
  {
    name: `list (and a query of ${listedKeys})`,
    operation: 'api-keys/list',
    request: () => ({ query: { limit: String(listedKeys) } }),
    status: 200,
  },
  {
    name: 'create (and a transaction)',
    operation: 'api-keys/create',
    request: () => ({ body: newKey }),
    status: 201,
  },
]

interface Taken {
  /** Medians of slices: of one request, in milliseconds. */
  wallMs: number[]
  /** Of this process alone: the engine is another. */
  cpuMs: number[]
}

/** Hono's and our handlers take an event and a context alike. */
type Handler = (event: unknown, context: unknown) => Promise<unknown>

export async function measurePipeline(): Promise<Report> {
  const { handler } = await import('./hono-handler.ts')
  // Hono's types name the events of several gateways; these are payload 2.0.
  const hono = handler as unknown as Handler
  const rows: TableRow[] = []
  for (const scenario of scenarios) rows.push(await compare(scenario, hono))
  const note = `Lambda events in one process, one after another, ${slices} slices of ${requestsPerSlice} for each in turns; the engine is another process. Both sides share authentication, rate limit, scopes, schemas, entities, commit and log (bench/hono-handler.ts). Ours adds the deadline, idempotency, conditional requests, the record of denied attempts and all faults by field. Lambda bills CPU time and waiting.`
  return { tables: [{ title: 'Our pipeline beside Hono and zod', rows, note }] }
}

async function compare({ name, operation, request, status }: Scenario, hono: Handler): Promise<TableRow> {
  const ours = (await handlerOf(operation)) as Handler
  const slice = async (handler: Handler, count: number) => {
    // A new org per slice: an org has at most 1,000 usable keys, and one scenario creates keys.
    const org = await makeOrg()
    await seedKeys(org.orgId, listedKeys)
    return runSlice(handler, () => gatewayEvent(operation, { token: org.rawKey, ...request(org) }), count, status)
  }
  const taken = new Map<Handler, Taken>([ours, hono].map((handler) => [handler, { wallMs: [], cpuMs: [] }]))
  const logged = captureLog()
  try {
    for (const handler of taken.keys()) await slice(handler, warmUpRequests)
    for (let round = 0; round < slices; round++) {
      for (const [handler, { wallMs, cpuMs }] of taken) {
        const { wall, cpu } = await slice(handler, requestsPerSlice)
        wallMs.push(wall)
        cpuMs.push(cpu)
      }
    }
  } finally {
    logged.stop()
  }
  const [mine, theirs] = [...taken.values()].map(({ wallMs, cpuMs }) => ({ wall: median(wallMs), cpu: median(cpuMs) }))
  if (!mine || !theirs) throw new TypeError('both sides must be measured')
  return {
    operation: name,
    ms: ms(mine.wall),
    'Hono ms': ms(theirs.wall),
    'to Hono': ratio(mine.wall, theirs.wall),
    'CPU ms': ms(mine.cpu),
    'Hono CPU ms': ms(theirs.cpu),
    'CPU to Hono': ratio(mine.cpu, theirs.cpu),
  }
}

/** The event as API Gateway makes it. Hono also reads the raw query and the host. */
function gatewayEvent(name: OperationName, request: Request): unknown {
  const event = eventFor(operations[name] as unknown as Operation, request)
  return {
    ...event,
    rawQueryString: new URLSearchParams(request.query).toString(),
    requestContext: { ...(event.requestContext as object), domainName: 'api.example.com' },
  }
}

const lambdaContext = { getRemainingTimeInMillis: () => 28_000 }

async function runSlice(handler: Handler, event: () => unknown, count: number, status: number) {
  const events = Array.from({ length: count }, event)
  const wall: number[] = []
  const before = process.cpuUsage()
  for (const each of events) {
    const start = performance.now()
    const answer = (await handler(each, lambdaContext)) as { statusCode: number; body: string }
    wall.push(performance.now() - start)
    if (answer.statusCode !== status) throw new Error(`answered ${answer.statusCode}: ${answer.body}`)
  }
  const { user, system } = process.cpuUsage(before)
  return { wall: median(wall), cpu: (user + system) / 1000 / count }
}
