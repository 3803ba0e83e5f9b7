/** A page of an unbounded list must cost the same in a small and in a large org. */
import type { OperationName } from '../functions/operations.ts'
import { memberOf } from '../test/support/readable.ts'
import { callOperation } from './call.ts'
import { consumedBy } from './consumed.ts'
import { type BenchOrg, makeOrg, seedEvents, seedKeys } from './fixture.ts'
import { type Budget, median, ms, percentile, type Report, ratio, type TableRow } from './report.ts'

/** The smallest org has more than two pages, so that all pages have the same length. */
const sizes = [30, 1000, 100_000] as const
const samples = 100
const warmUp = 20
const pageLength = '10'

interface List {
  operation: OperationName
  entries: string
  seed(orgId: string, count: number): Promise<void>
  /** A filter that no entry passes. */
  missingFilter: Record<string, string>
}

const lists: readonly List[] = [
  { operation: 'api-keys/list', entries: 'keys', seed: seedKeys, missingFilter: { state: 'revoked' } },
  { operation: 'audit-events/list', entries: 'events', seed: seedEvents, missingFilter: { actor_id: 'absent' } },
]

interface Measured {
  p50: number
  p99: number
  readUnits: number
}

export async function measureLists(): Promise<Report> {
  const rows: TableRow[] = []
  const budgets: Budget[] = []
  for (const list of lists) {
    const orgs: BenchOrg[] = []
    for (const size of sizes) orgs.push(await orgWith(list, size))
    for (const [name, queryOf] of Object.entries(pagesOf(list))) {
      const measured = await inTurns(list.operation, orgs, await Promise.all(orgs.map(queryOf)))
      rows.push(toRow(`${list.entries}: ${name}`, measured))
      if (name in lengthIsTheSame) budgets.push(budgetOf(`${name} of ${list.entries}`, measured))
    }
  }
  const note = `Organizations of ${sizes.map(counted).join(', ')} entries, ${samples} pages each in turns, handler and engine; ratios of p50. A filtered page reads at most 250 rows, and its cursor continues from there. So a filter without matches reads all rows of a small org and 250 rows of the others.`
  return { tables: [{ title: 'A page of a list, by the size of the org', rows, note }], budgets }
}

/** Pages of equal length in all orgs; filtered pages differ. */
const lengthIsTheSame = { 'first page': true, 'second page': true }

type QueryOf = (org: BenchOrg) => Promise<Record<string, string>>

/** The pages to compare. */
const pagesOf = ({ operation, missingFilter }: List): Record<string, QueryOf> => ({
  'first page': async () => ({ limit: pageLength }),
  'second page': async (org) => {
    const { body } = await callOperation(operation, org, { query: { limit: pageLength } })
    return { limit: pageLength, cursor: memberOf(body, 'next_cursor') as string }
  },
  'a filter without matches': async () => missingFilter,
})

/** An org with `count` entries, including those of its creation. */
async function orgWith({ seed }: List, count: number): Promise<BenchOrg> {
  const org = await makeOrg()
  await seed(org.orgId, count - 1)
  return org
}

async function inTurns(
  operation: OperationName,
  orgs: readonly BenchOrg[],
  queries: readonly Record<string, string>[],
): Promise<Measured[]> {
  const times: number[][] = orgs.map(() => [])
  const read = (index: number) => callOperation(operation, orgs[index] as BenchOrg, { query: queries[index] ?? {} })
  for (let sample = -warmUp; sample < samples; sample++) {
    for (const [index, taken] of times.entries()) {
      const start = performance.now()
      await read(index)
      if (sample >= 0) taken.push(performance.now() - start)
    }
  }
  const measured: Measured[] = []
  for (const [index, taken] of times.entries()) {
    const { readUnits } = await consumedBy(() => read(index))
    measured.push({ p50: median(taken), p99: percentile(taken, 0.99), readUnits })
  }
  return measured
}

const counted = (size: number): string => size.toLocaleString('en-US')

function toRow(page: string, measured: readonly Measured[]): TableRow {
  const [small] = measured
  const cells = (name: string, cell: (one: Measured) => string) =>
    Object.fromEntries(sizes.map((size, index) => [`${name} of ${counted(size)}`, cell(measured[index] ?? nothing)]))
  return {
    page,
    ...cells('p50 ms', ({ p50 }) => ms(p50)),
    ratio: ratio(measured.at(-1)?.p50 ?? Number.NaN, small?.p50 ?? Number.NaN),
    ...cells('p99 ms', ({ p99 }) => ms(p99)),
    ...cells('units', ({ readUnits }) => String(readUnits)),
  }
}

const nothing: Measured = { p50: Number.NaN, p99: Number.NaN, readUnits: Number.NaN }

function budgetOf(page: string, measured: readonly Measured[]): Budget {
  const [small = nothing, large = nothing] = [measured[0], measured.at(-1)]
  return {
    what: `read units of the ${page}, in an org of ${counted(sizes.at(-1) ?? 0)}`,
    measured: String(large.readUnits),
    limit: `${small.readUnits}, as in one of ${counted(sizes[0])}`,
    isKept: large.readUnits <= small.readUnits,
  }
}
