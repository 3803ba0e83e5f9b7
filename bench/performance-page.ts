/** The page `docs/performance.md`, from what the parts of the bench have reported. */
import type { PartName } from './parts.ts'
import { type Budget, markdownTable, type Report, type Table, type TableRow, wrapped } from './report.ts'

const width = 120

export function performancePage(machine: string, reports: ReadonlyMap<PartName, Report>): string {
  const sections = [...reports].flatMap(([name, { tables }]) => [partMark(name), ...tables.map(section)])
  return `${[introduction(machine), budgets([...reports.values()]), ...sections].join('\n\n')}\n`
}

/** By which a test knows that the page has the part. */
export const partMark = (name: PartName): string => `<!-- npm run bench -- ${name} -->`

const section = ({ title, rows, note }: Table): string =>
  `## ${title}\n\n${markdownTable(rows)}\n\n${wrapped(note, width)}`

const introduction = (machine: string): string => `# How fast it is

Written by \`npm run bench -- --write\`, in one run on one machine: ${machine}.

${wrapped(
  'Milliseconds are that machine’s, with the engine and what loads the service on the same cores, and a DynamoDB that is a local process; **the ratios are what to read**, for each compares two things that took turns. Read and write units are DynamoDB’s own and the same everywhere. `docs/cost.md` tells what requests cost.',
  width,
)}`

const budgets = (reports: readonly Report[]): string =>
  `## Budgets\n\n${markdownTable(budgetRows(reports.flatMap((report) => report.budgets ?? [])))}`

export const budgetRows = (all: readonly Budget[]): TableRow[] =>
  all.map(({ what, measured, limit, isKept }) => ({
    budget: what,
    measured,
    'at most': limit,
    '': isKept ? 'kept' : '**over**',
  }))
