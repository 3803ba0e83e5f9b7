/** Seeded histories of usage. An error names its seed (`tellSeeds`). */
import { test } from 'vitest'
import { tellSeeds, timeoutMs } from './many.ts'

test(
  'every write that counts, and every month at the end, equals the naive model: seeds 1 to 2,000',
  async () => {
    await tellSeeds('USAGE', async (seed, listener) => {
      const { simulateUsage } = await import('./usage.ts')
      return simulateUsage(seed, listener ? { listener } : {})
    })
  },
  timeoutMs,
)
