/**
 * `npm run cost`: measures what requests use and writes what they cost to `docs/cost.md`. `--check` tells whether the page
 * has all that would be written, figures apart, for those of time are the machine's.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { measureChain } from '../bench/contention.ts'
import { explainEngine, startFixture } from '../bench/fixture.ts'
import { runMain } from '../bin/usage.ts'
import { estimates } from './assumptions.ts'
import type { Sample } from './bill.ts'
import { type CostReport, costPage } from './cost-page.ts'
import { measure, missedReadUnits, startDoubles } from './measure.ts'
import { measureMinuteRow } from './minute-row.ts'
import { meanRowBytes } from './rows.ts'
import { readStageResources } from './stage-resources.ts'
import { type Step, type StepName, steps } from './steps.ts'

const usage = `Usage: npm run cost [-- --check]

  --check  write nothing; fail if docs/cost.md, its figures apart, is not what would be written`

const page = new URL('../docs/cost.md', import.meta.url)

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
  const text = costPage(await find())
  if (!values.check) writeFileSync(page, text)
  else if (withoutFigures(readFileSync(page, 'utf8')) !== withoutFigures(text)) {
    console.error('docs/cost.md is not what would be written; run: npm run cost')
    process.exitCode = 1
  }
}

const withoutFigures = (text: string): string => text.replaceAll(/<?\d[\d.,]*/g, '#')

async function find(): Promise<CostReport> {
  say('starting the engine; the whole takes about a minute')
  const fixture = await startFixture()
  say(`engine ${fixture.endpoint}`)
  try {
    await startDoubles()
    const samples = new Map<StepName, Sample>()
    const measured = Object.entries<Step>(steps)
    for (const [index, [name, step]] of measured.entries()) {
      say(`${index + 1} of ${measured.length}: ${name}`)
      samples.set(name as StepName, await measure(step))
    }
    say('what grows in one organization, and what a stage deploys')
    for (const [name, sample] of Object.entries(estimates)) samples.set(name as StepName, sample)
    return {
      samples,
      missedReadUnits: await missedReadUnits(),
      rowBytes: await meanRowBytes(rowsOf),
      chain: await measureChain(),
      minuteRow: await measureMinuteRow(),
      resources: readStageResources(),
    }
  } finally {
    await fixture.stop()
  }
}

/** Progress goes to stderr, like that of every command. */
const say = (text: string): void => console.error(`cost: ${text}`)

const rowsOf = { event: /\|AUDIT#/, record: /\|(?:KEY|TGT|CONN|INT)#/, counter: /#RATE#/, minute: /#HEALTH\|B#/ }

runMain(main, usage, explainEngine)
