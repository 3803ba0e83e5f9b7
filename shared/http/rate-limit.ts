/**
 * Requests per principal and minute, counted in the table in fixed windows: one atomic add per request, until the limit is
 * reached. If the counter fails or dawdles the request goes through: a limit is there to protect the service, not to be its
 * weakest part.
 */

import { setBounded } from '../bounded-map.ts'
import { ProblemError } from '../problem.ts'
import { log } from '../runtime/log.ts'
import { orgPartition } from '../table/rows.ts'
import { updateRow } from '../table/update.ts'
import type { Exchange, RateCount } from './exchange.ts'

const windowSeconds = 60
const counterTimeoutMs = 1000

/** DynamoDB takes 1,000 writes a second of one row, 60,000 a minute; half of that leaves room for an uneven minute. */
const mostOfRow = 30_000

/**
 * Counts a request; undefined when it could not be counted. Never rejects. A limit that is more than one row takes is
 * counted in several, each for its share: which one is chance, so that they fill evenly whoever counts.
 */
export async function countRequest(
  { orgId, principal, limit }: { orgId: string; principal: string; limit: number },
  now: Date,
): Promise<RateCount | undefined> {
  const epoch = Math.floor(now.getTime() / 1000)
  const windowStart = epoch - (epoch % windowSeconds)
  const resetSeconds = windowStart + windowSeconds - epoch
  const rows = Math.ceil(limit / mostOfRow)
  const share = rows === 1 ? '' : `#${Math.floor(Math.random() * rows)}`
  const key = { pk: `${orgPartition(orgId)}#RATE#${principal}${share}`, sk: String(windowStart) }
  const known = reached.get(key.pk)
  if (known?.sk === key.sk) return { key, count: known.count, resetSeconds }
  try {
    const row = await updateRow(
      key,
      {
        UpdateExpression: 'ADD #count :one SET expires_at_epoch = :expiry',
        ExpressionAttributeNames: { '#count': 'count' },
        ExpressionAttributeValues: { ':one': 1, ':expiry': windowStart + 10 * windowSeconds },
        ReturnValues: 'ALL_NEW',
      },
      AbortSignal.timeout(counterTimeoutMs),
    )
    return { key, count: (row?.count as number) * rows, resetSeconds }
  } catch (error) {
    log.warn('the rate limit counter failed; the request goes through', { error: error as Error })
    return undefined
  }
}

/**
 * The rows that this process has seen at their limit, in which minute. The table need not be asked again before the next:
 * a flood would be more than a row takes, and what the row does not take would go through.
 */
const reached = new Map<string, { sk: string; count: number }>()
const maxReached = 1000

function noteReached({ key, count }: RateCount): void {
  setBounded(reached, key.pk, { sk: key.sk, count }, maxReached)
}

/** Compares the request's count with the caller's limit, and sets the headers that tell where it stands. */
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
  noteReached(counted)
  throw new ProblemError(
    'rate_limited',
    `More than ${limit} requests in this minute; try again in ${resetSeconds} seconds.`,
    { headers: { 'retry-after': String(resetSeconds) } },
  )
}
