/** The service beside two peers: the same requests in one run, on the same machine, in alternating order. */
import { join } from 'node:path'
import { makeEnterpriseOrg, seedKeys } from './fixture.ts'
import { fire, type Shot } from './load.ts'
import type { Settings } from './parts.ts'
import { peerFile } from './peers-install.ts'
import type { Report, TableRow } from './report.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import { figuresOf, type Rounds, rateOf, takeTurns } from './turns.ts'

const load = { connections: 32, rounds: 3, warmUpRequests: 500 }
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

export async function measurePeers({ seconds }: Settings): Promise<Report> {
  const peers = new Map<Name, Peer>()
  try {
    peers.set('service', await onOurTable('service-server.ts'))
    peers.set('bare server', await onOurTable('bare-server.ts'))
    peers.set('better-auth', await startBetterAuth())
    for (const [name, peer] of peers) await checkPeer(name, peer)
    const compared: Compared[] = []
    for (const [operation, shotOf] of Object.entries(operations)) {
      const contenders = new Map([...peers].map(([name, peer]) => [name, { ...peer, shot: () => shotOf(peer.key) }]))
      compared.push({ operation, rounds: await takeTurns(contenders, { ...load, end: { seconds } }) })
    }
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

interface Compared {
  operation: string
  rounds: Rounds<Name>
}

function report(compared: readonly Compared[], seconds: number): Report {
  const rows = compared.flatMap((each) => names.map((name) => toRow(each, name)))
  const method = `${load.rounds} rounds of ${seconds} s each in alternating order, ${load.connections} connections of one org, medians of requests/s; an unexpected status ends the run. CPU time is that of the server process, and of the engine process apart. The service runs with its local gateway in one process. It and the bare server (bench/bare-server.ts: node:http, zod and the SDK, without problems, idempotency and logs) use one DynamoDB engine and write an audit event with each key. Sealing is not part of these rounds. better-auth (bench/peers: its API key plugin behind Hono) keeps its rows in SQLite inside its process, so it has no engine, no network and no audit event. Its list reads at most 100 keys of the org.`
  return { tables: [{ title: 'The service beside its peers', rows, note: `${verdicts(compared)} ${method}` }] }
}

const toRow = ({ operation, rounds }: Compared, name: Name): TableRow => ({
  operation: `${operation}: ${name}`,
  ...figuresOf(rounds, name, { base: 'service', hasEngine: name !== 'better-auth' }),
})

/** Smaller differences are noise. */
const noise = 0.1

/** Where the service is ahead of each peer, and where it is behind. */
function verdicts(compared: readonly Compared[]): string {
  const sentence = (peer: Name): string => {
    const ratios = compared.map((each) => ({
      name: each.operation,
      value: rateOf(each.rounds, 'service') / rateOf(each.rounds, peer),
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
