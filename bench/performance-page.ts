/** Builds the page `docs/performance.md` from the reports of the bench's parts. */
import type { PartName } from './parts.ts'
import { type Budget, markdownTable, type Report, type Table, type TableRow, wrapped } from './report.ts'

const width = 120

export function performancePage(machine: string, reports: ReadonlyMap<PartName, Report>): string {
  const sections = [...reports].flatMap(([name, { tables }]) => [partMark(name), ...tables.map(section)])
  return `${[introduction(machine), budgets([...reports.values()]), ...sections].join('\n\n')}\n`
}

/** Marks the section of a part; a test looks for it. */
export const partMark = (name: PartName): string => `<!-- npm run bench -- ${name} -->`

const section = ({ title, rows, note }: Table): string =>
  `## ${title}\n\n${markdownTable(rows)}\n\n${wrapped(note, width)}`

const introduction = (machine: string): string => `# Performance

Written by \`npm run bench -- --write\`, in one run on one machine: ${machine}.

${wrapped(
  'Milliseconds depend on that machine: engine and load generator share its cores, and DynamoDB is a local process. **Read the ratios**: each compares two programs that took turns. Read and write units are the same on every machine. `docs/cost.md` has the cost of requests.',
  width,
)}`

const budgets = (reports: readonly Report[]): string =>
  `## Budgets\n\n${markdownTable(budgetRows(reports.flatMap((report) => report.budgets ?? [])))}`

export const budgetRows = (all: readonly Budget[]): TableRow[] =>
  all.map(({ what, measured, limit, isKept }) => ({
    budget: what,
    measured,
    limit,
    '': isKept ? 'kept' : '**over**',
  }))
