/** Duration of `cdk synth`: bundles, all stacks, cdk-nag. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { median, type Report } from './report.ts'

const runs = 3
const budgetSeconds = 15

export async function measureSynth(): Promise<Report> {
  const root = join(import.meta.dirname, '..')
  const seconds: number[] = []
  for (let run = 0; run < runs; run++) {
    const start = performance.now()
    execFileSync(join(root, 'node_modules/.bin/cdk'), ['synth', '--quiet'], { cwd: root, stdio: 'pipe' })
    seconds.push((performance.now() - start) / 1000)
  }
  const shown = (value: number) => `${value.toFixed(1)} s`
  const row = {
    command: 'npm run synth',
    fastest: shown(Math.min(...seconds)),
    median: shown(median(seconds)),
    slowest: shown(Math.max(...seconds)),
  }
  const budget = {
    what: 'cdk synth',
    measured: shown(median(seconds)),
    limit: `${budgetSeconds} s`,
    isKept: median(seconds) <= budgetSeconds,
  }
  const note = `${runs} runs of the whole command, including the bundles of all handlers.`
  return { tables: [{ title: 'Synthesis', rows: [row], note }], budgets: [budget] }
}
