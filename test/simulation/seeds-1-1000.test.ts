/** The first half of the stories; another file runs the second. `node test/simulation/run.ts --seeds 50000` runs more. */
import { test } from 'vitest'
import { expectStories, timeoutMs } from './many.ts'

test(
  'despite faults, the projection ends equal to Stripe’s state: seeds 1 to 1000',
  () => expectStories(1, 1000),
  timeoutMs,
)
