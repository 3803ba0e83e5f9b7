/** Contention in one organization: writers share no row, and the sealer reads their events from the table's stream. */
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { eventPrefix, sealedOf } from '../shared/audit/event-rows.ts'
import { queryPage } from '../shared/table/query.ts'
import { orgPartition } from '../shared/table/rows.ts'
import { callOperation } from './call.ts'
import { consumedBy } from './consumed.ts'
import { type BenchOrg, makeEnterpriseOrg, onStreamedTable } from './fixture.ts'
import { type Budget, median, ms, percentile, type Report, type TableRow } from './report.ts'
import { startServer } from './server-process.ts'

const writersOfOneOrg = [1, 5, 20]
const changesOfOneOrg = 100
/** All rows have the same load, below the capacity of one core, so that they differ in the number of writers alone. */
const changesPerSecond = 20
const warmUpChanges = 40
const writersAtOnce = 200
const maxWait = 5

const body = { name: 'Bench key', scopes: ['models:read'] }

interface Paced {
  writers: number
  attemptsPerChange: number
  /** Per change, from the request to its answer. */
  latenciesMs: number[]
}

/** Measures how long writers of one org wait for each other, and for the sealer. */
export async function measureContention(): Promise<Report> {
  const paced: Paced[] = []
  for (const writers of writersOfOneOrg) paced.push(await besideSealer((org) => pacedWriters(writers, org)))
  const burst = await besideSealer(atOnce)
  const pacedNote = `${changesOfOneOrg} created keys each, ${changesPerSecond} a second in every row, each writer at random times; all answered 201. Handlers and engine. The writers share one process, and so one core. A change writes three new rows in one transaction; no other change touches them. The sealer runs in another process.`
  const burstNote = `${writersAtOnce} writers each create one key at the same moment. One process answers all of them, so the times include its CPU time for ${writersAtOnce} requests. The sealer reads the events from the table’s stream. They are sealed when each has the number of its block.`
  return {
    tables: [
      { title: 'Writers of one organization', rows: paced.map(toRow), note: pacedNote },
      { title: 'Writers at once', rows: [burst], note: burstNote },
    ],
    budgets: [budgetOf(paced)],
  }
}

/** A new org, with the sealer running. */
const besideSealer = <T>(work: (org: BenchOrg) => Promise<T>): Promise<T> =>
  onStreamedTable(async () => {
    const sealer = await startServer(join(import.meta.dirname, 'sealer.ts'))
    try {
      const org = await makeEnterpriseOrg()
      for (let change = 0; change < warmUpChanges; change++) await create(org)
      return await work(org)
    } finally {
      sealer.stop()
    }
  })

const create = (org: BenchOrg) => callOperation('api-keys/create', org, { body })

/** Each writer starts a change in each of its intervals, at a random time within it. */
async function pacedWriters(writers: number, org: BenchOrg): Promise<Paced> {
  const intervalMs = (1000 * writers) / changesPerSecond
  const latenciesMs: number[] = []
  const started = performance.now()
  const write = async () => {
    for (let change = 0; change < changesOfOneOrg / writers; change++) {
      await pause(Math.max(0, started + (change + Math.random()) * intervalMs - performance.now()))
      const start = performance.now()
      await create(org)
      latenciesMs.push(performance.now() - start)
    }
  }
  const { calls } = await consumedBy(() => Promise.all(Array.from({ length: writers }, write)))
  const transactions = calls.filter((call) => call.startsWith('TransactWriteItems')).length
  return { writers, attemptsPerChange: transactions / changesOfOneOrg, latenciesMs }
}

const toRow = ({ writers, attemptsPerChange, latenciesMs }: Paced): TableRow => ({
  writers: String(writers),
  'attempts a create': attemptsPerChange.toFixed(2),
  'p50 ms': ms(median(latenciesMs)),
  'p99 ms': ms(percentile(latenciesMs, 0.99)),
})

async function atOnce(org: BenchOrg): Promise<TableRow> {
  const start = performance.now()
  const answers = await Promise.all(Array.from({ length: writersAtOnce }, () => create(org)))
  const landed = performance.now()
  while (!(await allSealed(org.orgId))) await pause(20)
  const sealed = performance.now()
  return {
    writers: String(writersAtOnce),
    created: String(answers.filter(({ status }) => status === 201).length),
    'all landed within ms': ms(landed - start),
    'all sealed, ms after the last': ms(sealed - landed),
  }
}

async function allSealed(orgId: string): Promise<boolean> {
  const { rows } = await queryPage({
    partition: orgPartition(orgId),
    prefix: eventPrefix,
    limit: 2 * writersAtOnce,
    after: undefined,
  })
  return rows.length > writersAtOnce && rows.every((row) => sealedOf(row) !== null)
}

function budgetOf(paced: readonly Paced[]): Budget {
  const [alone, many] = [paced[0]?.latenciesMs ?? [], paced.at(-1)?.latenciesMs ?? []]
  const value = percentile(many, 0.99) / median(alone)
  return {
    what: `p99 of ${writersOfOneOrg.at(-1)} writers of one org, to p50 of one writer`,
    measured: `${value.toFixed(1)}x`,
    limit: `${maxWait}x`,
    isKept: value <= maxWait,
  }
}
