/** Throughput and latency of the local gateway, compared with a bare server that makes the same calls to the same table. */
import { join } from 'node:path'
import { type BenchOrg, makeOrgs, seedKeys } from './fixture.ts'
import { p50, p99, perSecond, type Shot } from './load.ts'
import { ms, type Report, ratio, type TableRow } from './report.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import { allRounds, type Contender, takeTurns } from './turns.ts'

const load = { connections: 8, rounds: 2, warmUpRequests: 200 }
const requestsPerRound = 600
const keysPerOrg = 50

const keysPath = '/api/v2/settings/api-keys'
const newKey = { name: 'Bench key', scopes: ['models:read', 'devices:register'], environment: 'live' }

/** The operations, named by their calls of the table. All authenticate: a read, and a count against the rate limit. */
const operations: Record<string, (org: BenchOrg) => Shot> = {
  'scopes (authentication alone)': ({ rawKey }) => get(`${keysPath}/scopes`, rawKey),
  'get (and one read)': ({ rawKey, keyId }) => get(`${keysPath}/${keyId}`, rawKey),
  [`list (and a query of ${keysPerOrg})`]: ({ rawKey }) => get(`${keysPath}?limit=${keysPerOrg}`, rawKey),
  'create (and a transaction)': ({ rawKey }) => create(rawKey),
}

const get = (path: string, token: string): Shot => ({ method: 'GET', path, token, status: 200 })
const create = (token: string): Shot => ({ method: 'POST', path: keysPath, token, body: newKey, status: 201 })

interface Server extends ServerProcess {
  /** One org per worker; contention.ts measures writers of one org. */
  orgs: BenchOrg[]
}

export async function measureRequests(): Promise<Report> {
  const service = await start('service-server.ts')
  const bare = await start('bare-server.ts')
  try {
    const rows: TableRow[] = []
    for (const [name, shot] of Object.entries(operations)) rows.push(await compare(name, shot, service, bare))
    const note = `${load.rounds * requestsPerRound} requests each, ${load.connections} at a time, service and bare server in turns, one org per worker (bench/bare-server.ts: only node:http, zod and the SDK). Server, engine and load generator are processes on the same cores: read the ratios. The service logs one line per request, to /dev/null.`
    return { tables: [{ title: 'Throughput of the local gateway', rows, note }] }
  } finally {
    service.stop()
    bare.stop()
  }
}

async function start(file: string): Promise<Server> {
  const orgs = await makeOrgs(load.connections)
  for (const { orgId } of orgs) await seedKeys(orgId, keysPerOrg)
  return { ...(await startServer(join(import.meta.dirname, file))), orgs }
}

async function compare(name: string, shot: (org: BenchOrg) => Shot, service: Server, bare: Server): Promise<TableRow> {
  const contender = (server: Server): Contender => ({
    ...server,
    shot: (worker) => shot(server.orgs[worker % server.orgs.length] as BenchOrg),
  })
  const contenders = new Map([
    ['service', contender(service)],
    ['bare', contender(bare)],
  ])
  const rounds = await takeTurns(contenders, { ...load, end: { count: requestsPerRound } })
  const [ours, theirs] = [allRounds(rounds, 'service'), allRounds(rounds, 'bare')]
  return {
    operation: name,
    'req/s': perSecond(ours).toFixed(0),
    'bare req/s': perSecond(theirs).toFixed(0),
    'p50 ms': ms(p50(ours)),
    'bare p50': ms(p50(theirs)),
    'p50 to bare': ratio(p50(ours), p50(theirs)),
    'p99 ms': ms(p99(ours)),
    'bare p99': ms(p99(theirs)),
    'p99 to bare': ratio(p99(ours), p99(theirs)),
  }
}
