/** The first half of the stories; the other half is told beside it. `node test/simulation/run.ts --seeds 50000` tells more. */
import { test } from 'vitest'
import { expectStories, timeoutMs } from './many.ts'

test(
  'whatever happens on the way, the projection ends as Stripe’s state: seeds 1 to 1000',
  () => expectStories(1, 1000),
  timeoutMs,
)
