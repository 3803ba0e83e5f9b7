/**
 * Requests per principal and minute, in fixed windows. The table counts them. A process adds to that count in leases: it
 * takes several requests with one write, and lets them through without another. If the counter fails or is slow, the request
 * goes through: a limit must not be the weakest part of the service.
 */
import { setBounded } from '../bounded-map.ts'
import { ProblemError } from '../problem.ts'
import { log } from '../runtime/log.ts'
import { orgPartition, type RowKey } from '../table/rows.ts'
import { updateRow } from '../table/update.ts'
import type { Exchange, RateCount } from './exchange.ts'

const windowSeconds = 60
const counterTimeoutMs = 1000
/** A lease that lasts longer than this is too large: the rest of it is lost when the window ends. */
const leaseMs = 2000
/** The largest lease is this part of the limit. So a low limit is counted one by one. */
const leasesPerLimit = 20

/** Adds requests to the count of a window, and returns the new count. */
type AddToCount = (key: RowKey, requests: number, windowStart: number) => Promise<number>

/** A principal's requests in one window, as one process counts them. */
interface Counter {
  windowStart: number
  /** The places that are leased and free, both inclusive. The first request of the window has place 1. */
  next: number
  end: number
  /** The count in the table, when this process last wrote it. */
  counted: number
  size: number
  leasedAtMs: number
  isLeasing: boolean
  /** Requests that wait for a place; they get undefined if the counter fails. */
  waiting: ((place: number | undefined) => void)[]
}

export interface Counted {
  orgId: string
  principal: string
  limit: number
}

/** Counts requests of one process; undefined for a request that could not be counted. Never rejects. */
export function rateCounters(add: AddToCount) {
  const counters = new Map<string, Counter>()
  return async ({ orgId, principal, limit }: Counted, now: Date): Promise<RateCount | undefined> => {
    const epoch = Math.floor(now.getTime() / 1000)
    const windowStart = epoch - (epoch % windowSeconds)
    const pk = `${orgPartition(orgId)}#RATE#${principal}`
    const counter = counterOf(counters, pk, windowStart)
    const count = placeIn(counter, limit) ?? (await leasedPlace(counter, { pk, sk: String(windowStart) }, limit, now))
    return count === undefined ? undefined : { count, resetSeconds: windowStart + windowSeconds - epoch }
  }

  /** Waits for the lease on its way, and for the next if that has no place left. */
  function leasedPlace(counter: Counter, key: RowKey, limit: number, now: Date): Promise<number | undefined> {
    return new Promise((resolve) => {
      counter.waiting.push(resolve)
      if (!counter.isLeasing) void lease(counter, key, limit, now.getTime())
    })
  }

  /** Takes leases, one at a time, until no request waits. */
  async function lease(counter: Counter, key: RowKey, limit: number, nowMs: number): Promise<void> {
    counter.isLeasing = true
    try {
      while (counter.waiting.length > 0) {
        const requests = nextSize(counter, limit, nowMs)
        const counted = await add(key, requests, counter.windowStart)
        counter.next = counted - requests + 1
        counter.end = Math.min(counted, limit)
        counter.counted = counted
        serveWaiting(counter, limit)
      }
    } catch (error) {
      log.warn('the rate limit counter failed; the request goes through', { error: error as Error })
      for (const resolve of counter.waiting.splice(0)) resolve(undefined)
    } finally {
      counter.isLeasing = false
    }
  }
}

/** Principals that a process remembers. A forgotten one loses the rest of its lease. */
const maxCounters = 1000

const newCounter = (windowStart: number): Counter => ({
  windowStart,
  ...{ next: 1, end: 0, counted: 0, size: 0, leasedAtMs: 0 },
  isLeasing: false,
  waiting: [],
})

/** The counter of a window. It replaces that of the window before. */
function counterOf(counters: Map<string, Counter>, pk: string, windowStart: number): Counter {
  const known = counters.get(pk)
  if (known?.windowStart === windowStart) return known
  const counter = newCounter(windowStart)
  setBounded(counters, pk, counter, maxCounters)
  return counter
}

/** The place of a request that needs no write: leased before, or beyond a limit that is reached. */
function placeIn(counter: Counter, limit: number): number | undefined {
  if (counter.next <= counter.end) return counter.next++
  return counter.counted >= limit ? counter.counted + 1 : undefined
}

function serveWaiting(counter: Counter, limit: number): void {
  const { waiting } = counter
  while (waiting.length > 0) {
    const place = placeIn(counter, limit)
    if (place === undefined) return
    waiting.shift()?.(place)
  }
}

/** Doubles a lease that was used up soon, halves one that lasted. Every waiting request gets a place in any case. */
function nextSize(counter: Counter, limit: number, nowMs: number): number {
  const isSoon = nowMs - counter.leasedAtMs < leaseMs
  const wanted = counter.size === 0 ? 1 : isSoon ? counter.size * 2 : counter.size / 2
  counter.size = Math.floor(Math.max(1, Math.min(wanted, limit / leasesPerLimit)))
  counter.leasedAtMs = nowMs
  return Math.max(counter.size, counter.waiting.length)
}

/** Counts a request in the table. */
export const countRequest = rateCounters(async (key, requests, windowStart) => {
  const row = await updateRow(
    key,
    {
      UpdateExpression: 'ADD #count :requests SET expires_at_epoch = :expiry',
      ExpressionAttributeNames: { '#count': 'count' },
      ExpressionAttributeValues: { ':requests': requests, ':expiry': windowStart + 10 * windowSeconds },
      ReturnValues: 'ALL_NEW',
    },
    AbortSignal.timeout(counterTimeoutMs),
  )
  return row?.count as number
})

/** Compares the request's place with the caller's limit, and sets the headers of the rate limit. */
export async function enforceRateLimit(exchange: Exchange): Promise<void> {
  const { caller, rateCount } = exchange
  if (!caller) return
  const limit = caller.rateLimitPerMinute
  exchange.answerHeaders['ratelimit-policy'] = `"default";q=${limit};w=${windowSeconds}`
  const counted = await rateCount
  if (!counted) return
  const { count, resetSeconds } = counted
  exchange.answerHeaders.ratelimit = `"default";r=${Math.max(0, limit - count)};t=${resetSeconds}`
  if (count <= limit) return
  throw new ProblemError(
    'rate_limited',
    `More than ${limit} requests in this minute; try again in ${resetSeconds} seconds.`,
    { headers: { 'retry-after': String(resetSeconds) } },
  )
}
