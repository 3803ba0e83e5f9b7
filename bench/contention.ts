/** What grows or queues up in one organization: its audit chain, and the minute rows of its health. */
import { callOperation } from './call.ts'
import { consumedBy } from './consumed.ts'
import { makeOrg } from './fixture.ts'
import { ms, percentile, type Report, type TableRow } from './report.ts'

export interface ChainRate {
  writers: number
  changesPerSecond: number
  attemptsPerChange: number
  /** Of each change, from the request to its answer. */
  latenciesMs: number[]
}

const writersOfOneOrg = [1, 5, 20]
const changesOfOneOrg = 400

/** What writers of one org wait for each other. */
export async function measureContention(): Promise<Report> {
  const rows: TableRow[] = []
  for (const writers of writersOfOneOrg) rows.push(toRow(await measureChain(writers, changesOfOneOrg / writers)))
  const note = `${changesOfOneOrg} creates of keys each, all answered 201, handlers and engine; the writers share one process, and so one core. Every change moves the head of the org's audit chain: who loses the race reads it again and tries once more, after a pause with full jitter. Other organizations are not waited for.`
  return { tables: [{ title: 'Writers of one organization', rows, note }] }
}

const toRow = ({ writers, changesPerSecond, attemptsPerChange, latenciesMs }: ChainRate): TableRow => ({
  writers: String(writers),
  'creates/s': changesPerSecond.toFixed(0),
  'attempts a create': attemptsPerChange.toFixed(2),
  'p50 ms': ms(percentile(latenciesMs, 0.5)),
  'p99 ms': ms(percentile(latenciesMs, 0.99)),
})

/** Changes of one org by many writers, every one of which must move the head of the same chain. */
export async function measureChain(writers = 20, changesEach = 5): Promise<ChainRate> {
  const org = await makeOrg()
  const body = { name: 'Bench key', scopes: ['models:read'] }
  const latenciesMs: number[] = []
  const started = performance.now()
  const { calls } = await consumedBy(() =>
    Promise.all(
      Array.from({ length: writers }, async () => {
        for (let change = 0; change < changesEach; change++) {
          const start = performance.now()
          await callOperation('api-keys/create', org, { body })
          latenciesMs.push(performance.now() - start)
        }
      }),
    ),
  )
  const changes = writers * changesEach
  return {
    writers,
    changesPerSecond: (changes * 1000) / (performance.now() - started),
    attemptsPerChange: calls.filter((call) => call.startsWith('TransactWriteItems')).length / changes,
    latenciesMs,
  }
}
