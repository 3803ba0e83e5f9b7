/**
 * A lease: a row that one caller at a time holds, for as long as it says and no longer. It frees itself when its holder
 * dies; a holder that is slower than its lease must be harmless by other means.
 */
import { randomUUID } from 'node:crypto'
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { log } from '../runtime/log.ts'
import type { Timing } from '../runtime/timing.ts'
import type { RowKey } from '../table/rows.ts'
import { updateRow } from '../table/update.ts'

export interface Lease {
  /** Lets the next one in at once. Never rejects: if it fails, the lease runs out by itself. */
  release(): Promise<void>
}

/** Rows of leases that ran out are swept away by the table itself a day later. */
const keepSeconds = 24 * 60 * 60

/** Takes a lease, or undefined when somebody holds it. */
export async function tryLease(key: RowKey, ttlMs: number, timing: Timing): Promise<Lease | undefined> {
  const owner = randomUUID()
  const nowMs = timing.now().getTime()
  try {
    await updateRow(key, {
      UpdateExpression: 'SET #owner = :me, lease_until_ms = :until, expires_at_epoch = :expiry',
      // Its own name is no obstacle: the SDK may repeat a request whose answer was lost.
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
    log.warn('a lease could not be released; it runs out by itself', { error: error as Error })
  })
}

const firstPauseMs = 50
const maxPauseMs = 800

/** How long to wait before asking again, with jitter so that many who wait do not ask at once. */
export const pauseMs = (attempt: number, { random }: Timing): number =>
  (0.5 + random() / 2) * Math.min(maxPauseMs, firstPauseMs * 2 ** attempt)

interface Patience {
  /** How long the lease holds when nobody releases it. */
  ttlMs: number
  /** How long to wait for it. */
  waitMs: number
  /** The error of having waited in vain. */
  busy(): Error
}

/** Runs `work` while holding a lease, waiting for it if need be. */
export async function withLease<T>(
  key: RowKey,
  { ttlMs, waitMs, busy }: Patience,
  timing: Timing,
  work: () => Promise<T>,
): Promise<T> {
  let waitedMs = 0
  for (let attempt = 0; ; attempt++) {
    const lease = await tryLease(key, ttlMs, timing)
    if (lease) return work().finally(() => lease.release())
    const wait = pauseMs(attempt, timing)
    waitedMs += wait
    if (waitedMs > waitMs) throw busy()
    await timing.sleep(wait)
  }
}
