/** Seeded histories of usage. An error names its seed. */
import { test } from 'vitest'
import { prepare, timeoutMs } from './many.ts'

test(
  'every write that counts, and every month at the end, equals the naive model: seeds 1 to 2,000',
  async () => {
    await prepare()
    const { simulateUsage } = await import('./usage.ts')
    for (let seed = 1; seed <= 2000; seed++) {
      await simulateUsage(seed).catch((cause: unknown) => {
        throw new Error(`usage seed ${seed}: ${cause}`, { cause })
      })
    }
  },
  timeoutMs,
)
