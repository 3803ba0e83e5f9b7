/**
 * `npm run bench`: measures the service. Only figures from one machine and one run are comparable. `npm run bench -- cold
 * units` runs only those parts. `--write` runs all parts and writes `docs/performance.md`.
 */
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { runMain, UsageError, wholeNumber } from '../bin/usage.ts'
import { explainEngine, startFixture } from './fixture.ts'
import { type PartName, parts, type Settings } from './parts.ts'
import { budgetRows, performancePage } from './performance-page.ts'
import { printTable, type Report } from './report.ts'

const page = new URL('../docs/performance.md', import.meta.url)
const names = Object.keys(parts) as PartName[]

const usage = `Usage: npm run bench -- [part …] [--seconds <n>] [--write]

  part       one of ${names.join(', ')} (default: all)
  --seconds  length of each round beside the peers, 1 to 60 (default: 5)
  --write    run all parts and write docs/performance.md

The part peers installs better-auth into .local/peers when it runs first. The other parts need no network.`

async function main(): Promise<void> {
  const { values, positionals: wanted } = parseArgs({
    options: { seconds: { type: 'string', default: '5' }, write: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const unknown = wanted.filter((name) => !names.some((known) => known === name))
  if (unknown.length > 0) throw new UsageError(`There is no part ${unknown.join(', ')}.`)
  if (values.write && wanted.length > 0) throw new UsageError('--write needs all parts: leave the names out.')
  const seconds = wholeNumber('--seconds', values.seconds, 1, 60)
  const started = performance.now()
  console.log(machine())
  const chosen = wanted.length > 0 ? names.filter((name) => wanted.includes(name)) : names
  const reports = await run(chosen, { seconds })
  if (values.write) writeFileSync(page, performancePage(machine(), reports))
  console.log(`\n${((performance.now() - started) / 1000).toFixed(0)} s in all`)
}

async function run(wanted: readonly PartName[], settings: Settings): Promise<Map<PartName, Report>> {
  const fixture = await startFixture()
  const reports = new Map<PartName, Report>()
  try {
    for (const name of wanted) {
      const report = await parts[name](settings)
      report.tables.forEach(printTable)
      reports.set(name, report)
    }
  } finally {
    await fixture.stop()
  }
  const rows = budgetRows([...reports.values()].flatMap(({ budgets = [] }) => budgets))
  if (rows.length > 0) printTable({ title: 'Budgets', rows, note: '' })
  return reports
}

/** The machine behind the figures: processor, cores, memory, Node. */
function machine(): string {
  const gib = Math.round(totalmem() / 1024 ** 3)
  const processor = cpus()[0]?.model.trim() ?? 'an unknown processor'
  return `${availableParallelism()} cores of ${processor}, ${gib} GiB, ${process.platform}-${process.arch}, Node ${process.version}`
}

runMain(main, usage, explainEngine)
