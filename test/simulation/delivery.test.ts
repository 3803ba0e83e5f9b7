/** DELIVERY_SEED=1234 repeats the story of one seed; DELIVERY_SEEDS=50000 tells more of them. */
import { expect, test } from 'vitest'
import { simulateDelivery } from './delivery.ts'
import { prepare, timeoutMs } from './many.ts'

test(
  'each event reaches every integration that wants it, or ends failed in list and dead letters, despite deaths and faults',
  async () => {
    const one = Number(process.env.DELIVERY_SEED ?? 0)
    await prepare(one > 0)
    process.env.DELIVERY_QUEUE_URL = 'https://sqs.invalid/deliveries'
    process.env.DELIVERY_DEAD_LETTERS_URL = 'https://sqs.invalid/letters'
    const [first, last] = one ? [one, one] : [1, Number(process.env.DELIVERY_SEEDS ?? 2000)]
    let told = 0
    for (let seed = first; seed <= last; seed++, told++) {
      await simulateDelivery(seed).catch((cause: unknown) => {
        throw new Error(`DELIVERY_SEED=${seed} repeats it: ${cause instanceof Error ? cause.message : cause}`, {
          cause,
        })
      })
    }
    expect(told).toBe(last - first + 1)
  },
  timeoutMs,
)
