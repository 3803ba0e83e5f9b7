/** Deliveries: one row per event and integration. Its id follows from both, so a repeated route finds the same row. */
import { createHash } from 'node:crypto'
import * as z from 'zod'
import { epochSeconds } from '../audit/event-rows.ts'
import { idSchema } from '../ids.ts'
import { inOrder } from '../in-order.ts'
import { lazy } from '../lazy.ts'
import { fromRow, orgPartition, type Row, type RowKey } from '../table/rows.ts'

export const deliveryStatuses = ['pending', 'delivered', 'failed'] as const

export const deliverySchema = lazy(() =>
  z
    .object({
      id: idSchema('dlv', 'Id of the delivery.'),
      event_id: z.string(),
      event_type: z.string().meta({ description: 'The action of the event.' }),
      status: z.enum(deliveryStatuses),
      attempts: z
        .array(
          z.object({
            at: z.iso.datetime(),
            status_code: z.int().nullable().meta({ description: 'HTTP status of the answer. null: no answer.' }),
            latency_ms: z.int(),
            error: z.string().nullable().meta({ description: 'Why the attempt failed. null: it succeeded.' }),
          }),
        )
        .meta({ description: `Oldest first. At most the last ${maxAttemptsKept}.` }),
      next_attempt_at: z.iso.datetime().nullable().meta({ description: 'null: no further attempt.' }),
      created_at: z.iso.datetime(),
      delivered_at: z.iso.datetime().nullable(),
    })
    .meta({ id: 'Delivery', description: 'One event on its way to one integration.' }),
)

export type DeliveryView = z.infer<ReturnType<typeof deliverySchema>>
export type Attempt = DeliveryView['attempts'][number]

/** The schedule makes 9. Further ones are requested by callers. */
export const maxAttemptsKept = 50

export interface Delivery extends DeliveryView {
  integration_id: string
  /** Attempts of the schedule that are made. */
  step: number
  /** When the next one is due, in milliseconds of the due clock. */
  due_ms: number
  /** An attempt runs until then, in epoch milliseconds. */
  lease_until_ms?: number
  /** The attempt that a caller requested last, and the last one that was made. */
  requested?: string
  requested_done?: string
  /** The newest message of the schedule. */
  turn?: number
  ticket?: number
  /** Its message lies in the dead-letter queue. */
  buried?: boolean
  expires_at_epoch: number
}

/** The parts of a delivery's key, and of its message. No payload. */
export interface DeliveryRef {
  org_id: string
  integration_id: string
  delivery_id: string
  event_id: string
}

const keepSeconds = 30 * 86_400

export const deliveryPrefix = (integrationId: string): string => `DELIVERY#${integrationId}#`

export const deliveryKey = (ref: Pick<DeliveryRef, 'org_id' | 'integration_id' | 'delivery_id'>): RowKey => ({
  pk: orgPartition(ref.org_id),
  sk: deliveryPrefix(ref.integration_id) + ref.delivery_id,
})

/** The time of the event, then 80 bits of a digest: the id of a delivery sorts by its event, and repeats. */
export function deliveryIdOf(eventId: string, integrationId: string): string {
  const digest = createHash('sha256').update(`${eventId} ${integrationId}`).digest()
  let bits = BigInt(`0x${digest.subarray(0, 10).toString('hex')}`)
  let random = ''
  for (let at = 0; at < 16; at++, bits >>= 5n) random = base32.charAt(Number(bits & 31n)) + random
  return `dlv_${eventId.slice('aud_'.length, 'aud_'.length + 10)}${random}`
}

const base32 = '0123456789abcdefghjkmnpqrstvwxyz'

export function newDelivery(ref: DeliveryRef, eventType: string, now: Date, dueMs: number): Row {
  const delivery: Omit<Delivery, 'id'> = {
    integration_id: ref.integration_id,
    event_id: ref.event_id,
    event_type: eventType,
    status: 'pending',
    attempts: [],
    next_attempt_at: now.toISOString(),
    created_at: now.toISOString(),
    delivered_at: null,
    step: 0,
    due_ms: dueMs,
    expires_at_epoch: epochSeconds(now) + keepSeconds,
  }
  return { ...deliveryKey(ref), id: ref.delivery_id, ...delivery }
}

export const toDelivery = (row: Row): Delivery => fromRow<Delivery>(row)

const fieldOrder = [
  ...(['id', 'event_id', 'event_type', 'status', 'attempts'] as const),
  ...(['next_attempt_at', 'created_at', 'delivered_at'] as const),
]
const attemptOrder = ['at', 'status_code', 'latency_ms', 'error'] as const

export const toDeliveryView = (delivery: Delivery): DeliveryView => ({
  ...inOrder(fieldOrder, delivery),
  attempts: delivery.attempts.map((attempt) => inOrder(attemptOrder, attempt)),
})
