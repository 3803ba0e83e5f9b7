/**
 * A cache for frequent questions to Stripe; answers can be a minute old. All instances share it in the table. One
 * caller at a time refreshes an entry. If Stripe fails, the stale copy is served.
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
  /** The name of the entry, with its customer: `INVOICES#cus_…`. */
  name: string
  ttlSeconds: number
}

export interface Copy<T> {
  value: T
  cachedAt: Date
  /** Older than its `ttlSeconds`, and served because Stripe failed. */
  stale: boolean
}

/** Longer than one refresh with its retry. */
const leaseMs = 15_000
const waitMs = 12_000
/** After a failure, no caller asks Stripe for this time. Waiting callers must not fail one after the other. */
const failurePauseMs = 3000
/** How long a copy is kept in case Stripe fails. */
const keepSeconds = 7 * 24 * 60 * 60

/**
 * A fresh copy, or a stale one when `refresh` fails.
 *
 * @throws the error of `refresh`, when there is no copy
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
  new ProblemError('service_unavailable', 'Stripe has not answered yet. Retry later.', {
    headers: { 'retry-after': '2' },
  })

const failedLately = () =>
  new ProblemError('service_unavailable', 'Stripe does not answer. Retry later.', {
    headers: { 'retry-after': '3' },
  })

/** Marks a copy as stale. It is still served when Stripe fails. */
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
  /** As JSON: DynamoDB does not keep the order of fields. */
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

/** A copy that needs no refresh: it is fresh, or a refresh has just failed. */
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
  // `refreshed` stored this value, which came from `refresh`.
  value: JSON.parse(content) as T,
  cachedAt: new Date(cachedAtMs),
  stale,
})

async function refreshed<T>(entry: CacheEntry, refresh: () => Promise<T>, timing: Timing): Promise<Copy<T>> {
  // The copy is as old as the question, not the answer.
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

/** Stores the outcome, unless a newer copy is stored. A failure to store must not fail the request. */
async function keep(entry: CacheEntry, update: string, atMs: number, values: Record<string, unknown>): Promise<void> {
  await updateRow(keyOf(entry), {
    UpdateExpression: update.replace('SET ', 'SET expires_at_epoch = :expiry, '),
    ConditionExpression: 'attribute_not_exists(cached_at_ms) OR cached_at_ms <= :at',
    ExpressionAttributeValues: { ...values, ':at': atMs, ':expiry': Math.floor(atMs / 1000) + keepSeconds },
  }).catch((error: unknown) => {
    if (error instanceof ConditionalCheckFailedException) return
    log.warn('could not cache an answer of Stripe', { error: error as Error })
  })
}

/** The `Age` header: seconds since Stripe was asked. */
export const ageHeader = ({ cachedAt }: Pick<Copy<unknown>, 'cachedAt'>): { age: string } => ({
  age: String(Math.max(0, Math.floor((Date.now() - cachedAt.getTime()) / 1000))),
})
