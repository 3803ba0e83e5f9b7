/** Contention in one organization: many writers of one audit chain. */
import { callOperation } from './call.ts'
import { consumedBy } from './consumed.ts'
import { makeOrg } from './fixture.ts'
import { ms, percentile, type Report, type TableRow } from './report.ts'

export interface ChainRate {
  writers: number
  changesPerSecond: number
  attemptsPerChange: number
  /** Per change, from the request to its answer. */
  latenciesMs: number[]
}

const writersOfOneOrg = [1, 5, 20]
const changesOfOneOrg = 400

/** Measures how long writers of one org wait for each other. */
export async function measureContention(): Promise<Report> {
  const rows: TableRow[] = []
  for (const writers of writersOfOneOrg) rows.push(toRow(await measureChain(writers, changesOfOneOrg / writers)))
  const note = `${changesOfOneOrg} created keys each, all answered 201, handlers and engine. The writers share one process, and so one core. Each change moves the head of the org's audit chain. A writer that loses the race reads the head again and retries after a pause with full jitter. Writers of other organizations do not wait.`
  return { tables: [{ title: 'Writers of one organization', rows, note }] }
}

const toRow = ({ writers, changesPerSecond, attemptsPerChange, latenciesMs }: ChainRate): TableRow => ({
  writers: String(writers),
  'creates/s': changesPerSecond.toFixed(0),
  'attempts a create': attemptsPerChange.toFixed(2),
  'p50 ms': ms(percentile(latenciesMs, 0.5)),
  'p99 ms': ms(percentile(latenciesMs, 0.99)),
})

/** Many writers change one org, and each change must move the head of the same chain. */
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
