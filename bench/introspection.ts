/** Introspections beside the bare server, which reads the same rows for each: the cost of the service's own work. */
import { join } from 'node:path'
import { bareClient, listen } from './bare-server.ts'
import { callOperation } from './call.ts'
import { consumedBy } from './consumed.ts'
import { type BenchOrg, makeOrg, seedUsableKeys } from './fixture.ts'
import { fire, type Shot } from './load.ts'
import type { Settings } from './parts.ts'
import { type Budget, type Report, ratio } from './report.ts'
import { startServer } from './server-process.ts'
import { figuresOf, rateOf, takeTurns } from './turns.ts'

const load = { connections: 32, rounds: 5, warmUpRequests: 1000 }
const presentedKeys = 100
const leastRatio = 0.8

const files = { service: 'service-server.ts', 'bare server': 'bare-server.ts' } as const
type Name = keyof typeof files
const names = ['service', 'bare server'] as const satisfies readonly Name[]

export async function measureIntrospection({ seconds }: Settings): Promise<Report> {
  const readUnits = await equalReadUnits()
  const servers = new Map(await Promise.all(names.map(async (name) => [name, await start(name)] as const)))
  try {
    const rounds = await takeTurns(servers, { ...load, end: { seconds } })
    const rows = names.map((name) => ({ server: name, ...figuresOf(rounds, name, { base: 'service' }) }))
    const note = `${load.rounds} rounds of ${seconds} s each in alternating order, ${load.connections} connections. One org key asks for ${presentedKeys} other keys of its org in turn, as JSON, without include and count. Median of requests/s. The bare server (bench/bare-server.ts) authenticates, parses and validates the body, and answers with the same fields. Both sides read ${readUnits} units for an introspection (bench/consumed.ts): the records of both keys, and the plan. They remember whose a raw key is.`
    const measured = rateOf(rounds, 'service') / rateOf(rounds, 'bare server')
    return { tables: [{ title: 'Introspection beside the bare server', rows, note }], budgets: [budgetOf(measured)] }
  } finally {
    for (const { stop } of servers.values()) stop()
  }
}

/** A server with an org of its own: both sides count a caller's requests in the same row. It is asked for each key in turn. */
async function start(name: Name) {
  const { rawKey, tokens } = await orgWithKeys()
  let asked = 0
  const shot = (): Shot => ({ ...introspection(rawKey), body: { token: tokens[asked++ % tokens.length] } })
  return { ...(await startServer(join(import.meta.dirname, files[name]))), shot }
}

async function orgWithKeys(): Promise<BenchOrg & { tokens: string[] }> {
  const org = await makeOrg()
  return { ...org, tokens: await seedUsableKeys(org.orgId, presentedKeys) }
}

const introspection = (token: string) => ({
  ...{ method: 'POST', path: '/api/v2/settings/api-keys/introspect', token },
  status: 200,
})

/** The read units of one introspection by a process that knows both keys; throws when the two sides differ. */
async function equalReadUnits(): Promise<number> {
  const org = await orgWithKeys()
  const { server, port } = await listen()
  try {
    const body = { token: org.tokens[0] }
    const ours = () => callOperation('api-keys/introspect', org, { body })
    const shot = () => ({ ...introspection(org.rawKey), body })
    const theirs = () => fire(`http://127.0.0.1:${port}`, { count: 1 }, 1, shot)
    for (const side of [ours, theirs]) await side()
    const mine = await consumedBy(ours)
    const bare = await consumedBy(theirs, bareClient())
    if (mine.readUnits === bare.readUnits) return mine.readUnits
    throw new Error(`the service reads ${mine.readUnits} units, the bare server ${bare.readUnits}: not the same work`)
  } finally {
    server.close()
  }
}

const budgetOf = (measured: number): Budget => ({
  what: 'introspections/s, to the bare server',
  measured: ratio(measured, 1),
  limit: `at least ${ratio(leastRatio, 1)}`,
  isKept: measured >= leastRatio,
})
