/**
 * `node test/simulation/run.ts --seeds 50000` runs 50,000 stories, beginning at the seed `--from`. `--seed 1234` repeats one
 * story step by step. The first failed story ends the run, which prints the command that repeats it.
 */
import { parseArgs } from 'node:util'
import { runMain, wholeNumber } from '../../bin/usage.ts'
import { prepare, type Result, replayCommand, simulateMany } from './many.ts'

/** Interval of the progress output. */
const chunk = 5000

const usage = `Usage: node test/simulation/run.ts [--seeds 2000] [--from 1] [--seed 1234]

  --seeds  how many stories to run
  --from   the first seed
  --seed   run one story, and print each step`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '2000' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
    },
  })
  const isReplay = values.seed !== undefined
  const first = wholeNumber(isReplay ? '--seed' : '--from', values.seed ?? values.from, 0, Number.MAX_SAFE_INTEGER)
  const count = isReplay ? 1 : wholeNumber('--seeds', values.seeds, 1, Number.MAX_SAFE_INTEGER)

  await prepare(isReplay)
  const startedAt = performance.now()
  const told: Result = { stories: 0, steps: 0, events: 0 }
  while (told.stories < count && !told.failure) {
    const telling = isReplay ? { listener: (line: string) => console.log(line) } : {}
    const next = await simulateMany(first + told.stories, Math.min(chunk, count - told.stories), telling)
    told.stories += next.stories
    told.steps += next.steps
    told.events += next.events
    if (next.failure) told.failure = next.failure
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    console.log(`${told.stories} stories, ${told.steps} steps, ${told.events} events of Stripe, in ${seconds} s`)
  }
  if (told.failure) {
    console.error(told.failure.error)
    console.error(`\nseed ${told.failure.seed} comes out wrong; again: ${replayCommand(told.failure.seed)}`)
    process.exitCode = 1
  }
}

runMain(main, usage, () => undefined)
