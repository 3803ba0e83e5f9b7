/**
 * `node test/simulation/run.ts --seeds 50000` tells so many stories, `--from` a seed on; `--seed 1234` tells one again, step by step.
 * The first that comes out wrong ends it, with the command that tells it again.
 */
import { parseArgs } from 'node:util'
import { prepare, replayCommand, simulateMany } from './many.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
  },
})

await prepare()
const [first, count] =
  values.seed === undefined ? [Number(values.from), Number(values.seeds)] : [Number(values.seed), 1]
const startedAt = performance.now()
const { stories, steps, events, failure } = await simulateMany(
  first,
  count,
  values.seed === undefined ? {} : { listener: (line) => console.log(line) },
)
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
console.log(`${stories} stories, ${steps} steps, ${events} events of Stripe, in ${seconds} s`)
if (failure) {
  console.error(failure.error)
  console.error(`\nseed ${failure.seed} comes out wrong; again: ${replayCommand(failure.seed)}`)
  process.exitCode = 1
}
