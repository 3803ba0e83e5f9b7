/** Stories of deliveries. An error names its seed (`tellSeeds`). */
import { expect, test } from 'vitest'
import { simulateDelivery } from './delivery.ts'
import { tellSeeds, timeoutMs } from './many.ts'

test(
  'each event reaches every integration that wants it, or ends failed in list and dead letters, despite deaths and faults',
  async () => {
    process.env.DELIVERY_QUEUE_URL = 'https://sqs.invalid/deliveries'
    process.env.DELIVERY_DEAD_LETTERS_URL = 'https://sqs.invalid/letters'
    expect((await tellSeeds('DELIVERY', simulateDelivery)).length).toBeGreaterThan(0)
  },
  timeoutMs,
)
