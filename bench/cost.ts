/**
 * `npm run cost`: measures what requests use and writes what they cost to `docs/cost.md`. `--check` tells whether the page
 * has all that would be written, figures apart, for those of time are the machine's.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { estimates } from './assumptions.ts'
import type { Sample } from './bill.ts'
import { measureChain, measureMinuteRow } from './contention.ts'
import { type CostReport, costPage } from './cost-page.ts'
import { startFixture } from './fixture.ts'
import { measure, missedReadUnits, startDoubles } from './measure.ts'
import { meanRowBytes } from './rows.ts'
import { readStageResources } from './stage-resources.ts'
import { type Step, type StepName, steps } from './steps.ts'

const page = new URL('../docs/cost.md', import.meta.url)

async function main(): Promise<void> {
  const text = costPage(await find())
  if (!process.argv.includes('--check')) writeFileSync(page, text)
  else if (withoutFigures(readFileSync(page, 'utf8')) !== withoutFigures(text)) {
    console.error('docs/cost.md is not what would be written; run: npm run cost')
    process.exitCode = 1
  }
}

const withoutFigures = (text: string): string => text.replaceAll(/<?\d[\d.,]*/g, '#')

async function find(): Promise<CostReport> {
  const fixture = await startFixture()
  try {
    await startDoubles()
    const samples = new Map<StepName, Sample>()
    for (const [name, step] of Object.entries<Step>(steps)) samples.set(name as StepName, await measure(step))
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

const rowsOf = { event: /\|AUDIT#/, record: /\|(?:KEY|TGT|CONN|INT)#/, counter: /#RATE#/, minute: /#HEALTH\|B#/ }

await main()
