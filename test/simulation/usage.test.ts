/** Seeded histories of usage. An error names its seed; USAGE_SEED=1234 repeats it. */
import { test } from 'vitest'
import { prepare, timeoutMs } from './many.ts'

test(
  'every write that counts, and every month at the end, equals the naive model: seeds 1 to 2,000',
  async () => {
    const one = Number(process.env.USAGE_SEED ?? 0)
    await prepare(one > 0)
    const { simulateUsage } = await import('./usage.ts')
    for (let seed = one || 1; seed <= (one || 2000); seed++) {
      await simulateUsage(seed).catch((cause: unknown) => {
        throw new Error(`USAGE_SEED=${seed} repeats it: ${cause}`, { cause })
      })
    }
  },
  timeoutMs,
)
