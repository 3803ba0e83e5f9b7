/**
 * The sender: one message, at most one attempt. Messages repeat, and senders die at any point; the delivery's row decides:
 * - A lease on the row lets one attempt run at a time.
 * - An attempt is counted on the row before the message of the next one is queued.
 * - A failed delivery is marked as buried after its message lies in the dead-letter queue.
 */
import { eventKey, toEvent } from '../audit/event-rows.ts'
import type { IntegrationRecord } from '../integrations/record.ts'
import { dueNowMs } from '../runtime/due-clock.ts'
import { emitMetrics } from '../runtime/metrics.ts'
import { realTiming } from '../runtime/timing.ts'
import { getRow } from '../table/read.ts'
import type { Row } from '../table/rows.ts'
import { updateRow, updateRowIf } from '../table/update.ts'
import { type Attempt, type Delivery, deliveryKey, maxAttemptsKept, toDelivery } from './delivery.ts'
import type { DeliveredEvent } from './event.ts'
import { hindranceTo } from './open.ts'
import { bury, type DeliveryMessage } from './queue.ts'
import { delayAfter } from './schedule.ts'
import { type Sent, send } from './send.ts'
import { freeSlot, noteFailure, noteSuccess, type Slot, takeSlot } from './state.ts'
import { failPending, failUntried, findIntegration, reasons, switchOff } from './switch-off.ts'
import { isCurrent } from './turns.ts'

/** Longer than an attempt and its writes. */
const leaseMs = 40_000
/** When all sends of an integration are taken, a message comes back after this share of its wait, within these limits. */
const busyShare = 0.25
const busySeconds = { min: 1, max: 300 }
const fiveDaysMs = 5 * 86_400_000

/** Seconds until the message is wanted again; undefined: it is done. */
export type Outcome = number | undefined

/** Processes a message. Rejects when our own services fail: then the message comes back. */
export async function deliver(message: DeliveryMessage, requestId: string, sending = send): Promise<Outcome> {
  const row = await getRow(deliveryKey(message))
  if (!row) return undefined
  const delivery = toDelivery(row)
  const waitMs = isCurrent(delivery, message) ? waitOf(delivery, message) : undefined
  if (waitMs === undefined) return finish(delivery, message)
  if (waitMs > 0) return waitMs / 1000
  const integration = await findIntegration(message.org_id, message.integration_id)
  const event = await eventOf(message)
  const hindrance = (await hindranceTo(message.org_id, integration, new Date())) ?? (event ? undefined : eventGone)
  if (hindrance !== undefined || !integration || !event)
    return giveUp(row, message, integration, hindrance ?? eventGone)
  return attempt(delivery, message, { integration, event, requestId, sending })
}

const eventGone = 'The event has expired.'

async function eventOf({ org_id, event_id }: DeliveryMessage): Promise<DeliveredEvent | undefined> {
  const row = await getRow(eventKey(org_id, event_id))
  return row && toEvent(row)
}

/** Milliseconds until the message's attempt; undefined: it has none to make. */
function waitOf(delivery: Delivery, message: DeliveryMessage): number | undefined {
  const leasedMs = Math.max(0, (delivery.lease_until_ms ?? 0) - Date.now())
  if (message.requested !== undefined) return isRequested(delivery, message) ? leasedMs : undefined
  if (message.again) return delivery.status === 'failed' ? leasedMs : undefined
  if (delivery.status !== 'pending' || isAtEnd(delivery)) return undefined
  return Math.max(leasedMs, delivery.due_ms - dueNowMs())
}

const isRequested = ({ requested, requested_done }: Delivery, message: DeliveryMessage): boolean =>
  requested === message.requested && requested !== requested_done

/** The schedule is over; only a requested attempt keeps the delivery pending. */
const isAtEnd = ({ due_ms }: Delivery): boolean => due_ms === 0

/** Fails a delivery whose integration or event does not allow an attempt. */
async function giveUp(
  row: Row,
  message: DeliveryMessage,
  integration: IntegrationRecord | undefined,
  reason: string,
): Promise<Outcome> {
  if (toDelivery(row).status !== 'failed') await failUntried(row, reason)
  // A service that died after it switched the integration off left the others pending.
  if (integration?.disabled_reason) await failPending(message.org_id, integration, integration.disabled_reason)
  const now = await getRow(deliveryKey(message))
  if (!now || !integration) return undefined
  // Another attempt runs, and decides it.
  return toDelivery(now).status === 'pending' ? busySeconds.min : finish(toDelivery(now), message)
}

/** Buries the message of a failed delivery, once. A replayed one lies in the queue no more. */
async function finish(delivery: Delivery, message: DeliveryMessage): Promise<Outcome> {
  if (delivery.status !== 'failed' || (delivery.buried === true && !message.again)) return undefined
  await bury(message)
  await updateRowIf(deliveryKey(message), {
    UpdateExpression: 'SET buried = :yes',
    ConditionExpression: '#status = :failed',
    ExpressionAttributeNames: { '#status': 'status' },
    ExpressionAttributeValues: { ':yes': true, ':failed': 'failed' },
  })
  return undefined
}

interface Wanted {
  integration: IntegrationRecord
  event: DeliveredEvent
  requestId: string
  sending: typeof send
}

async function attempt(delivery: Delivery, message: DeliveryMessage, wanted: Wanted): Promise<Outcome> {
  const { org_id, integration_id } = message
  const slot = await slotSoon(org_id, integration_id)
  if (!slot) return busyWaitOf(delivery)
  const lease = await claim(delivery, message)
  if (lease === undefined) {
    await freeSlot(org_id, integration_id, slot)
    return busySeconds.min
  }
  const sent = await sendIn(slot, message, wanted)
  const isGone = await judge(sent, message, wanted)
  return record(delivery, message, { sent, isGone, lease })
}

/** Without it, each message behind a slow receiver would be received every second, for hours. */
function busyWaitOf({ next_attempt_at }: Delivery): number {
  const lateSeconds = (Date.now() - Date.parse(next_attempt_at ?? '')) / 1000
  return Math.min(busySeconds.max, Math.max(busySeconds.min, busyShare * (lateSeconds || 0)))
}

/** A quick receiver frees a send within this: then its message need not go back to the queue. */
const pausesMs = [0, 100, 200]

async function slotSoon(orgId: string, integrationId: string): Promise<Slot | undefined> {
  for (const pauseMs of pausesMs) {
    if (pauseMs > 0) await realTiming.sleep(pauseMs)
    const slot = await takeSlot(orgId, integrationId, leaseMs, { nowMs: Date.now(), random: Math.random() })
    if (slot) return slot
  }
  return undefined
}

/** Takes the lease of a delivery, unless it changed since it was read. Returns the lease's end, which marks its holder. */
async function claim({ step, status }: Delivery, message: DeliveryMessage): Promise<number | undefined> {
  const nowMs = Date.now()
  const untilMs = nowMs + leaseMs + Math.floor(Math.random() * 1_000_000) / 1_000_000
  const isClaimed = await updateRowIf(deliveryKey(message), {
    UpdateExpression: 'SET lease_until_ms = :until',
    ConditionExpression:
      '#status = :status AND step = :step AND (attribute_not_exists(lease_until_ms) OR lease_until_ms <= :now)',
    ExpressionAttributeNames: { '#status': 'status' },
    ExpressionAttributeValues: { ':until': untilMs, ':status': status, ':step': step, ':now': nowMs },
  })
  return isClaimed ? untilMs : undefined
}

async function sendIn(
  slot: Slot,
  { org_id, integration_id }: DeliveryMessage,
  { integration, event, sending }: Wanted,
) {
  try {
    return await sending(org_id, integration, event, new Date())
  } finally {
    await freeSlot(org_id, integration_id, slot)
  }
}

/** Notes the result on the integration, and switches it off when it is gone or has failed for too long. */
async function judge(
  sent: Sent,
  { org_id, integration_id }: DeliveryMessage,
  { integration, requestId }: Wanted,
): Promise<boolean> {
  if (sent.error === null) {
    await noteSuccess(org_id, integration_id)
    return false
  }
  // Failures before it was switched on again do not count.
  const failingSinceMs = Math.max(await noteFailure(org_id, integration_id, dueNowMs()), integration.enabled_ms ?? 0)
  const isGone = sent.status_code === 410
  if (!isGone && dueNowMs() - failingSinceMs < fiveDaysMs) return false
  return switchOff(org_id, integration, isGone ? reasons.gone : reasons.failing, requestId)
}

interface Attempted {
  sent: Sent
  isGone: boolean
  lease: number
}

/** Counts an attempt on the delivery's row. Rejects when another attempt took the lease over. */
async function record(delivery: Delivery, message: DeliveryMessage, attempted: Attempted): Promise<Outcome> {
  const { retryAfter: _retryAfter, ...made } = attempted.sent
  const { status, step, next } = verdictOn(delivery, message, attempted)
  const row = await updateRow(deliveryKey(message), {
    UpdateExpression:
      'SET #status = :status, attempts = :attempts, step = :step, due_ms = :due, next_attempt_at = :next, delivered_at = :delivered, requested_done = :done REMOVE lease_until_ms, buried',
    ConditionExpression: 'lease_until_ms = :lease',
    ExpressionAttributeNames: { '#status': 'status' },
    ExpressionAttributeValues: {
      ...{ ':status': status, ':step': step, ':lease': attempted.lease },
      ':attempts': [...delivery.attempts, made].slice(-maxAttemptsKept),
      ':due': next?.dueMs ?? 0,
      ':next': next?.at ?? null,
      ':delivered': status === 'delivered' ? new Date().toISOString() : delivery.delivered_at,
      ':done': message.requested ?? delivery.requested_done ?? null,
    },
    ReturnValues: 'ALL_NEW',
  })
  noteAttempt(message, delivery, status, made)
  if (next) return isScheduled(message) ? (next.dueMs - dueNowMs()) / 1000 : undefined
  return row ? finish(toDelivery(row), message) : undefined
}

const isScheduled = ({ requested, again }: DeliveryMessage): boolean => requested === undefined && again !== true

function verdictOn(delivery: Delivery, message: DeliveryMessage, { sent, isGone }: Attempted) {
  const step = delivery.step + (isScheduled(message) ? 1 : 0)
  if (sent.error === null) return { status: 'delivered', step } as const
  const next = isGone ? undefined : nextOf(delivery, message, sent.retryAfter)
  return { status: next ? 'pending' : 'failed', step, next } as const
}

function noteAttempt(message: DeliveryMessage, delivery: Delivery, status: Delivery['status'], made: Attempt): void {
  const isFirst = delivery.attempts.length === 0
  const age = { DeliveryAgeSeconds: Math.max(0, (Date.parse(made.at) - Date.parse(delivery.created_at)) / 1000) }
  const ended = { pending: {}, delivered: { DeliveriesDelivered: 1 }, failed: { DeliveriesFailed: 1 } }[status]
  const { org_id, delivery_id } = message
  emitMetrics(
    'a delivery was attempted',
    { DeliveryAttempts: 1, ...ended, ...(isFirst ? age : {}) },
    {
      ...{ org_id, delivery_id, status_code: made.status_code },
    },
  )
}

interface Next {
  dueMs: number
  /** The time that callers see. */
  at: string
}

/** The next attempt of the schedule. A requested attempt leaves the schedule as it is: its message waits in the queue. */
function nextOf(
  { due_ms, step }: Delivery,
  message: DeliveryMessage,
  retryAfter: string | undefined,
): Next | undefined {
  if (!isScheduled(message)) return due_ms > 0 ? nextAt(due_ms) : undefined
  const seconds = delayAfter(step + 1, retryAfter, new Date(), Math.random())
  return seconds === undefined ? undefined : nextAt(dueNowMs() + seconds * 1000)
}

const nextAt = (dueMs: number): Next => ({ dueMs, at: new Date(Date.now() + dueMs - dueNowMs()).toISOString() })
