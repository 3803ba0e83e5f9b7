/** The service beside two peers: the same requests in one run, on the same machine, in alternating order. */
import { join } from 'node:path'
import { cpuMsOf, findEngine } from './cpu.ts'
import { makeEnterpriseOrg, seedKeys } from './fixture.ts'
import { fire, joined, type LoadEnd, type LoadResult, p50, p99, perSecond, type Shot } from './load.ts'
import type { Settings } from './parts.ts'
import { peerFile } from './peers-install.ts'
import { median, ms, type Report, ratio, type TableRow } from './report.ts'
import { type ServerProcess, startServer } from './server-process.ts'

const connections = 32
const rounds = 3
const warmUpRequests = 500
const keysOfOrg = 1000
const listedKeys = 50

const path = '/api/v2/settings/api-keys'
const newKey = { name: 'Bench key', scopes: ['models:read'] }

/** Creations come last, so that all lists read the same number of keys. */
const operations: Record<string, (token: string) => Shot> = {
  [`list ${listedKeys} of 1,000`]: (token) => ({
    method: 'GET',
    path: `${path}?limit=${listedKeys}`,
    token,
    status: 200,
  }),
  authenticate: (token) => ({ method: 'GET', path: `${path}/scopes`, token, status: 200 }),
  create: (token) => ({ method: 'POST', path, token, body: newKey, status: 201 }),
}

const names = ['service', 'bare server', 'better-auth'] as const
type Name = (typeof names)[number]
type Peer = Omit<ServerProcess, 'key'> & { key: string }

interface Round extends LoadResult {
  serverMs: number
  engineMs: number
}

export async function measurePeers({ seconds }: Settings): Promise<Report> {
  const peers = new Map<Name, Peer>()
  try {
    peers.set('service', await onOurTable('service-server.ts'))
    peers.set('bare server', await onOurTable('bare-server.ts'))
    peers.set('better-auth', await startBetterAuth())
    for (const [name, peer] of peers) await checkPeer(name, peer)
    const compared: Compared[] = []
    for (const [operation, shotOf] of Object.entries(operations))
      compared.push({ operation, rounds: await takeTurns(peers, shotOf, seconds) })
    return report(compared, seconds)
  } finally {
    for (const { stop } of peers.values()) stop()
  }
}

/** A server on the bench's table, with an org of its own. */
async function onOurTable(file: string): Promise<Peer> {
  const { orgId, rawKey } = await makeEnterpriseOrg()
  await seedKeys(orgId, keysOfOrg - 1)
  return { ...(await startServer(join(import.meta.dirname, file))), key: rawKey }
}

async function startBetterAuth(): Promise<Peer> {
  const { key = '', ...server } = await startServer(peerFile('better-auth.mjs'))
  const create = operations.create?.(key)
  if (create) await fire(server.url, { count: keysOfOrg - 1 }, 1, () => create)
  return { ...server, key }
}

/** Does a peer do the work? An unknown key is refused, a page is full, and a created key authenticates. */
async function checkPeer(name: Name, { url, key }: Peer): Promise<void> {
  const call = async (token: string, query = '', body?: object) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const response = await fetch(url + path + query, {
      ...{ headers, method: body ? 'POST' : 'GET' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    return { status: response.status, body: (await response.json()) as Record<string, string | unknown[]> }
  }
  const unknown = await call(`${key.slice(0, -4)}0000`, '/scopes')
  const { body: page } = await call(key, `?limit=${listedKeys}`)
  const { body: created } = await call(key, '', newKey)
  const used = await call(String(created.api_key ?? created.key), '/scopes')
  const listed = (page.data ?? page.apiKeys)?.length
  // A key of the service needs a scope to read the scopes, so it is known but not allowed.
  const isRight = unknown.status === 401 && listed === listedKeys && (used.status === 200 || used.status === 403)
  if (!isRight) throw new Error(`${name}: ${unknown.status}, ${listed} keys, ${used.status}: not the same work`)
}

/** Rounds in alternating order, so that a slow minute of the machine affects all. */
async function takeTurns(
  peers: ReadonlyMap<Name, Peer>,
  shotOf: (token: string) => Shot,
  seconds: number,
): Promise<Map<Name, Round[]>> {
  const engine = findEngine()
  const load = async ({ url, pid, key }: Peer, end: LoadEnd): Promise<Round> => {
    const before = [cpuMsOf(pid), cpuMsOf(engine)] as const
    const result = await fire(url, end, connections, () => shotOf(key))
    return { ...result, serverMs: cpuMsOf(pid) - before[0], engineMs: cpuMsOf(engine) - before[1] }
  }
  const taken = new Map<Name, Round[]>(names.map((name) => [name, []]))
  for (const peer of peers.values()) await load(peer, { count: warmUpRequests })
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [...peers] : [...peers].reverse()
    for (const [name, peer] of order) taken.get(name)?.push(await load(peer, { seconds }))
  }
  return taken
}

interface Compared {
  operation: string
  rounds: ReadonlyMap<Name, readonly Round[]>
}

const roundsOf = ({ rounds }: Compared, name: Name): readonly Round[] => rounds.get(name) ?? []
const rateOf = (compared: Compared, name: Name): number => median(roundsOf(compared, name).map(perSecond))

function report(compared: readonly Compared[], seconds: number): Report {
  const rows = compared.flatMap((each) => names.map((name) => toRow(each, name)))
  const method = `${rounds} rounds of ${seconds} s each in alternating order, ${connections} connections of one org, medians of requests/s; an unexpected status ends the run. CPU time is that of the server process, and of the engine process apart. The service runs with its local gateway in one process. It and the bare server (bench/bare-server.ts: node:http, zod and the SDK, without problems, idempotency and logs) use one DynamoDB engine and write an audit event with each key. Sealing is not part of these rounds. better-auth (bench/peers: its API key plugin behind Hono) keeps its rows in SQLite inside its process, so it has no engine, no network and no audit event. Its list reads at most 100 keys of the org.`
  return { tables: [{ title: 'The service beside its peers', rows, note: `${verdicts(compared)} ${method}` }] }
}

function toRow(compared: Compared, name: Name): TableRow {
  const own = roundsOf(compared, name)
  const all = joined(own)
  const per = (field: 'serverMs' | 'engineMs') =>
    own.reduce((sum, round) => sum + round[field], 0) / all.latenciesMs.length
  const hasEngine = name !== 'better-auth'
  return {
    operation: `${compared.operation}: ${name}`,
    'req/s': rateOf(compared, name).toFixed(0),
    'service to it': ratio(rateOf(compared, 'service'), rateOf(compared, name)),
    'p50 ms': ms(p50(all)),
    'p99 ms': ms(p99(all)),
    'CPU ms': ms(per('serverMs')),
    'engine CPU ms': hasEngine ? ms(per('engineMs')) : '–',
  }
}

/** Smaller differences are noise. */
const noise = 0.1

/** Where the service is ahead of each peer, and where it is behind. */
function verdicts(compared: readonly Compared[]): string {
  const sentence = (peer: Name): string => {
    const ratios = compared.map((each) => ({
      name: each.operation,
      value: rateOf(each, 'service') / rateOf(each, peer),
    }))
    const named = (word: string, wanted: (value: number) => boolean) => {
      const list = ratios.filter(({ value }) => wanted(value)).map(({ name, value }) => `${name} ${value.toFixed(2)}x`)
      return list.length > 0 ? [`${word} (${list.join(', ')})`] : []
    }
    const parts = [
      ...named('ahead', (value) => value > 1 + noise),
      ...named('equal', (value) => value >= 1 - noise && value <= 1 + noise),
      ...named('behind', (value) => value < 1 - noise),
    ]
    return `Requests/s of the service beside ${peer}: ${parts.join('; ')}.`
  }
  return names.slice(1).map(sentence).join(' ')
}
