/** SEALER_SEED=1234 repeats the schedule of one seed; SEALER_SEEDS=50000 runs more of them. */
import { test } from 'vitest'
import { simulateSeeds } from './sealer.ts'

test('each event ends in exactly one block of one chain, however sealers meet, repeat and die', async () => {
  const one = process.env.SEALER_SEED
  if (one) await simulateSeeds(Number(one), 1)
  else await simulateSeeds(1, Number(process.env.SEALER_SEEDS ?? 250))
}, 600_000)
