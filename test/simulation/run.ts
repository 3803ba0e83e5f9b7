/**
 * `node test/simulation/run.ts --seeds 50000` tells so many stories, `--from` a seed on; `--seed 1234` tells one again,
 * step by step. The first that comes out wrong ends it, with the command that tells it again.
 */
import { parseArgs } from 'node:util'
import { prepare, type Result, replayCommand, simulateMany } from './many.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
  },
})
const isReplay = values.seed !== undefined
const first = Number(values.seed ?? values.from)
const count = isReplay ? 1 : Number(values.seeds)
if (!Number.isInteger(first) || !Number.isInteger(count)) throw new TypeError('seeds are whole numbers')

/** So often one is told how far it has come. */
const chunk = 5000
await prepare()
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
