/**
 * The state of an integration's deliveries, on a row of its own: settings and their version stay as they are. It limits
 * how many sends run at once, and remembers since when all of them fail.
 */

import { getRow } from '../table/read.ts'
import { fromRow, orgPartition, type RowKey } from '../table/rows.ts'
import { updateRow, updateRowIf } from '../table/update.ts'

/** Sends of one integration that may run at once: a slow one leaves room for others. */
const maxInFlight = 10

type State = { failing_since_ms?: number } & Partial<Record<`slot_${number}`, number>>

const stateKey = (orgId: string, integrationId: string): RowKey => ({
  pk: orgPartition(orgId),
  sk: `DELIVERYSTATE#${integrationId}`,
})

export interface Slot {
  name: `slot_${number}`
  /** Until when it is held, in epoch milliseconds; unique to the holder. */
  untilMs: number
}

const slotNames = Array.from({ length: maxInFlight }, (_, index) => `slot_${index}` as const)

/** Takes a slot; undefined when all are taken. A slot whose holder died is free after `ttlMs`. */
export async function takeSlot(
  orgId: string,
  integrationId: string,
  ttlMs: number,
  { nowMs, random }: { nowMs: number; random: number },
): Promise<Slot | undefined> {
  const key = stateKey(orgId, integrationId)
  const state = fromRow<State>(await getRow(key)) ?? {}
  const free = slotNames.filter((name) => (state[name] ?? 0) <= nowMs)
  const first = Math.floor(random * free.length)
  for (const name of [...free.slice(first), ...free.slice(0, first)]) {
    const untilMs = nowMs + ttlMs + Math.floor(Math.random() * 1_000_000) / 1_000_000
    const isTaken = await updateRowIf(key, {
      UpdateExpression: 'SET #slot = :until',
      ConditionExpression: 'attribute_not_exists(#slot) OR #slot <= :now',
      ExpressionAttributeNames: { '#slot': name },
      ExpressionAttributeValues: { ':until': untilMs, ':now': nowMs },
    })
    if (isTaken) return { name, untilMs }
  }
  return undefined
}

/** Frees a slot, unless it expired and has another holder. */
export async function freeSlot(orgId: string, integrationId: string, { name, untilMs }: Slot): Promise<void> {
  await updateRowIf(stateKey(orgId, integrationId), {
    UpdateExpression: 'SET #slot = :free',
    ConditionExpression: '#slot = :mine',
    ExpressionAttributeNames: { '#slot': name },
    ExpressionAttributeValues: { ':free': 0, ':mine': untilMs },
  })
}

/** Notes a success: the integration works. */
export async function noteSuccess(orgId: string, integrationId: string): Promise<void> {
  await updateRowIf(stateKey(orgId, integrationId), {
    UpdateExpression: 'REMOVE failing_since_ms',
    ConditionExpression: 'attribute_exists(failing_since_ms)',
  })
}

/** Notes a failure. Returns the first failure after the last success, in milliseconds of the due clock. */
export async function noteFailure(orgId: string, integrationId: string, dueNowMs: number): Promise<number> {
  const row = await updateRow(stateKey(orgId, integrationId), {
    UpdateExpression: 'SET failing_since_ms = if_not_exists(failing_since_ms, :now)',
    ExpressionAttributeValues: { ':now': dueNowMs },
    ReturnValues: 'ALL_NEW',
  })
  return (row && fromRow<State>(row).failing_since_ms) ?? dueNowMs
}
