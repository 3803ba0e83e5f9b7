/**
 * What is asked of Stripe often and may be a minute old: kept in the table for all instances, refreshed by one caller at
 * a time, and served past its time when Stripe fails.
 */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { ProblemError } from '../problem.ts'
import { log } from '../runtime/log.ts'
import { realTiming, type Timing } from '../runtime/timing.ts'
import { withLease } from '../storage/lease.ts'
import { getRow } from '../table/read.ts'
import { fromRow, orgPartition, type RowKey } from '../table/rows.ts'
import { updateRow, updateRowIf } from '../table/update.ts'

export interface CacheEntry {
  orgId: string
  /** What is kept, and whose: `INVOICES#cus_…`. */
  name: string
  ttlSeconds: number
}

export interface Copy<T> {
  value: T
  cachedAt: Date
  /** Past its time, and served because Stripe could not be asked. */
  stale: boolean
}

/** Longer than one refresh takes with its retry. */
const leaseMs = 15_000
const waitMs = 12_000
/** After a failure nobody asks again for so long: those who wait must not fail one after the other. */
const failurePauseMs = 3000
/** How long a copy is kept for the case that Stripe fails. */
const keepSeconds = 7 * 24 * 60 * 60

/**
 * A copy that is at most so old, or a stale one when `refresh` fails.
 *
 * @throws what `refresh` throws, when there is no copy at all
 */
export async function cached<T>(
  entry: CacheEntry,
  refresh: () => Promise<T>,
  timing: Timing = realTiming,
): Promise<Copy<T>> {
  const lock = { ...keyOf(entry), sk: `LOCK#${keyOf(entry).sk}` }
  const wait = {
    ttlMs: leaseMs,
    waitMs,
    known: () => settled<T>(entry, timing),
    giveUp: async () => lastGood<T>(await readEntry(entry), busy()),
  }
  return withLease(lock, wait, timing, () => refreshed(entry, refresh, timing))
}

const busy = () =>
  new ProblemError('service_unavailable', 'Stripe is being asked already and does not answer; try again.', {
    headers: { 'retry-after': '2' },
  })

const failedLately = () =>
  new ProblemError('service_unavailable', 'Stripe does not answer at the moment; try again.', {
    headers: { 'retry-after': '3' },
  })

/** Ends the time of a copy; it is still served when Stripe fails. */
export async function expire(entry: Pick<CacheEntry, 'orgId' | 'name'>): Promise<void> {
  await updateRowIf(keyOf(entry), {
    UpdateExpression: 'SET cached_at_ms = :past',
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeValues: { ':past': 0 },
  })
}

interface CacheRecord {
  content_json?: string
  cached_at_ms?: number
  failed_at_ms?: number
}

interface Stored {
  /** As JSON: a table does not keep the order of fields. */
  content: string | undefined
  cachedAtMs: number
  failedAtMs: number
}

const keyOf = ({ orgId, name }: Pick<CacheEntry, 'orgId' | 'name'>): RowKey => ({
  pk: orgPartition(orgId),
  sk: `CACHE#${name}`,
})

async function readEntry(entry: CacheEntry): Promise<Stored> {
  const record = fromRow<CacheRecord>(await getRow(keyOf(entry)))
  return {
    content: record?.content_json,
    cachedAtMs: record?.cached_at_ms ?? 0,
    failedAtMs: record?.failed_at_ms ?? 0,
  }
}

/** A copy that needs no refresh: it is fresh, or it has just been tried in vain. */
async function settled<T>(entry: CacheEntry, timing: Timing): Promise<Copy<T> | undefined> {
  const stored = await readEntry(entry)
  const nowMs = timing.now().getTime()
  if (stored.content !== undefined && nowMs - stored.cachedAtMs < entry.ttlSeconds * 1000) {
    return toCopy(stored.content, stored.cachedAtMs, false)
  }
  return nowMs - stored.failedAtMs < failurePauseMs ? lastGood(stored, failedLately()) : undefined
}

function lastGood<T>({ content, cachedAtMs }: Stored, otherwise: Error): Copy<T> {
  if (content === undefined) throw otherwise
  return toCopy(content, cachedAtMs, true)
}

const toCopy = <T>(content: string, cachedAtMs: number, stale: boolean): Copy<T> => ({
  // What `refresh` made and `refreshed` wrote.
  value: JSON.parse(content) as T,
  cachedAt: new Date(cachedAtMs),
  stale,
})

async function refreshed<T>(entry: CacheEntry, refresh: () => Promise<T>, timing: Timing): Promise<Copy<T>> {
  // As old as the question, not as the answer.
  const askedAtMs = timing.now().getTime()
  try {
    const content = JSON.stringify(await refresh())
    await keep(entry, 'SET content_json = :content, cached_at_ms = :at REMOVE failed_at_ms', askedAtMs, {
      ':content': content,
    })
    return toCopy(content, askedAtMs, false)
  } catch (error) {
    if (!(error instanceof ProblemError) || error.status < 500) throw error
    await keep(entry, 'SET failed_at_ms = :at', timing.now().getTime(), {})
    return lastGood(await readEntry(entry), error)
  }
}

/** The answer goes out even when it cannot be kept; what is newer is never replaced. */
async function keep(entry: CacheEntry, update: string, atMs: number, values: Record<string, unknown>): Promise<void> {
  await updateRow(keyOf(entry), {
    UpdateExpression: update.replace('SET ', 'SET expires_at_epoch = :expiry, '),
    ConditionExpression: 'attribute_not_exists(cached_at_ms) OR cached_at_ms <= :at',
    ExpressionAttributeValues: { ...values, ':at': atMs, ':expiry': Math.floor(atMs / 1000) + keepSeconds },
  }).catch((error: unknown) => {
    if (error instanceof ConditionalCheckFailedException) return
    log.warn('what Stripe answered could not be kept', { error: error as Error })
  })
}

/** How many seconds ago Stripe was asked, for the answer's headers. */
export const ageHeader = ({ cachedAt }: Pick<Copy<unknown>, 'cachedAt'>): { age: string } => ({
  age: String(Math.max(0, Math.floor((Date.now() - cachedAt.getTime()) / 1000))),
})
