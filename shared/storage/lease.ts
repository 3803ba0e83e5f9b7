/**
 * A lease: a row that one caller at a time holds for a limited time. It expires when its holder dies. So a holder that is
 * slower than its lease must be harmless by other means.
 */
import { randomUUID } from 'node:crypto'
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { log } from '../runtime/log.ts'
import type { Timing } from '../runtime/timing.ts'
import type { RowKey } from '../table/rows.ts'
import { updateRow } from '../table/update.ts'

export interface Lease {
  /** Frees the lease immediately. Never rejects: after a failure, the lease expires by itself. */
  release(): Promise<void>
}

/** DynamoDB deletes the row of an expired lease a day later. */
const keepSeconds = 24 * 60 * 60

/** Takes a lease; undefined when another caller holds it. */
export async function tryLease(key: RowKey, ttlMs: number, timing: Timing): Promise<Lease | undefined> {
  const owner = randomUUID()
  const nowMs = timing.now().getTime()
  try {
    await updateRow(key, {
      UpdateExpression: 'SET #owner = :me, lease_until_ms = :until, expires_at_epoch = :expiry',
      // The owner may be this caller: the SDK repeats a request when it loses the response.
      ConditionExpression: 'attribute_not_exists(pk) OR lease_until_ms <= :now OR #owner = :me',
      ExpressionAttributeNames: { '#owner': 'owner' },
      ExpressionAttributeValues: {
        ':me': owner,
        ':until': nowMs + ttlMs,
        ':now': nowMs,
        ':expiry': Math.floor((nowMs + ttlMs) / 1000) + keepSeconds,
      },
    })
    return { release: () => release(key, owner) }
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return undefined
    throw error
  }
}

async function release(key: RowKey, owner: string): Promise<void> {
  const update = {
    UpdateExpression: 'SET lease_until_ms = :past',
    ConditionExpression: '#owner = :me',
    ExpressionAttributeNames: { '#owner': 'owner' },
    ExpressionAttributeValues: { ':past': 0, ':me': owner },
  }
  await updateRow(key, update).catch((error: unknown) => {
    if (error instanceof ConditionalCheckFailedException) return
    log.warn('could not release a lease; it expires by itself', { error: error as Error })
  })
}

const firstPauseMs = 50
const maxPauseMs = 800

/** The pause before the next attempt, with jitter so that many waiters do not retry at once. */
const pauseMs = (attempt: number, { random }: Timing): number =>
  (0.5 + random() / 2) * Math.min(maxPauseMs, firstPauseMs * 2 ** attempt)

interface Wait<T> {
  /** How long the lease holds if its holder does not release it. */
  ttlMs: number
  /** How long to wait for it. */
  waitMs: number
  /** Ends a wait that took too long: throws, or returns another result. */
  giveUp(): Promise<T> | never
  /** A result that makes the lease unnecessary. Checked before each attempt, and again under the lease. */
  known?(): Promise<T | undefined>
}

/** Runs `work` under a lease; waits while another caller holds it. */
export async function withLease<T>(
  key: RowKey,
  { ttlMs, waitMs, giveUp, known }: Wait<T>,
  timing: Timing,
  work: () => Promise<T>,
): Promise<T> {
  let waitedMs = 0
  for (let attempt = 0; ; attempt++) {
    const result = await known?.()
    if (result !== undefined) return result
    const lease = await tryLease(key, ttlMs, timing)
    if (lease) return underLease(lease, work, known)
    const pause = pauseMs(attempt, timing)
    waitedMs += pause
    if (waitedMs > waitMs) return giveUp()
    await timing.sleep(pause)
  }
}

async function underLease<T>(lease: Lease, work: () => Promise<T>, known?: () => Promise<T | undefined>): Promise<T> {
  try {
    // The previous holder may have produced the result between the check and the lease.
    return (await known?.()) ?? (await work())
  } finally {
    await lease.release()
  }
}
