/**
 * `npm run cost`: measures the usage of requests and writes their cost to `docs/cost.md`. `--check` compares the page with the
 * text that the script would write. It ignores figures, because times depend on the machine.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { explainEngine, startFixture } from '../bench/fixture.ts'
import { runMain } from '../bin/usage.ts'
import { estimates } from './assumptions.ts'
import type { Sample } from './bill.ts'
import { type CostReport, costPage } from './cost-page.ts'
import { measureDelivery } from './delivery.ts'
import { measure, missedReadUnits } from './measure.ts'
import { measureMinuteRow } from './minute-row.ts'
import { meanRowBytes } from './rows.ts'
import { sealerSteps } from './sealer.ts'
import { readStageResources } from './stage-resources.ts'
import { type Step, type StepName, steps } from './steps.ts'

const usage = `Usage: npm run cost [-- --check]

  --check  write nothing; fail if the text of docs/cost.md is out of date (figures are ignored)`

const page = new URL('../docs/cost.md', import.meta.url)

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
  const text = costPage(await find())
  if (!values.check) writeFileSync(page, text)
  else if (withoutFigures(readFileSync(page, 'utf8')) !== withoutFigures(text)) {
    console.error('docs/cost.md is out of date; run: npm run cost')
    process.exitCode = 1
  }
}

const withoutFigures = (text: string): string => text.replaceAll(/<?\d[\d.,]*/g, '#')

async function find(): Promise<CostReport> {
  say('starting the engine; this takes about a minute')
  const fixture = await startFixture()
  say(`engine ${fixture.endpoint}`)
  try {
    process.env.OUTBOUND_ALLOWED_CIDRS = '127.0.0.0/8'
    const samples = new Map<StepName, Sample>()
    const measured = Object.entries<Step>(steps)
    for (const [index, [name, step]] of measured.entries()) {
      say(`${index + 1} of ${measured.length}: ${name}`)
      samples.set(name as StepName, await measure(step))
    }
    for (const [name, step] of Object.entries(sealerSteps)) samples.set(name as StepName, await step())
    say('deliveries to an integration')
    for (const [name, sample] of await measureDelivery()) samples.set(name, sample)
    say('limits of one organization, and resources of a stage')
    for (const [name, sample] of Object.entries(estimates)) samples.set(name as StepName, sample)
    return {
      samples,
      missedReadUnits: await missedReadUnits(),
      rowBytes: await meanRowBytes(rowsOf),
      minuteRow: await measureMinuteRow(),
      resources: readStageResources(),
    }
  } finally {
    await fixture.stop()
  }
}

/** Progress goes to stderr, like that of every command. */
const say = (text: string): void => console.error(`cost: ${text}`)

const rowsOf = {
  event: /\|EVENT#/,
  block: /\|BLOCK#/,
  checkpoint: /\|CHECKPOINT#/,
  record: /\|(?:KEY|TGT|CONN|INT)#/,
  counter: /#RATE#/,
  minute: /#HEALTH\|B#/,
}

runMain(main, usage, explainEngine)
