/**
 * Requests per principal and minute, counted in the table in fixed windows: one atomic add per request. If the counter
 * fails or dawdles the request goes through: a limit is there to protect the service, not to be its weakest part.
 */
import { log } from '../runtime/log.ts'
import { orgPartition, updateRow } from '../storage/table.ts'
import type { Exchange, RateCount } from './exchange.ts'
import { ProblemError } from './problem.ts'

const windowSeconds = 60
const counterTimeoutMs = 1000

/** Counts a request; undefined when it could not be counted. Never rejects. */
export async function countRequest(orgId: string, principal: string, now: Date): Promise<RateCount | undefined> {
  const epoch = Math.floor(now.getTime() / 1000)
  const windowStart = epoch - (epoch % windowSeconds)
  try {
    const row = await updateRow(
      { pk: `${orgPartition(orgId)}#RATE#${principal}`, sk: String(windowStart) },
      {
        UpdateExpression: 'ADD #count :one SET expires_at_epoch = :expiry',
        ExpressionAttributeNames: { '#count': 'count' },
        ExpressionAttributeValues: { ':one': 1, ':expiry': windowStart + 10 * windowSeconds },
        ReturnValues: 'ALL_NEW',
      },
      AbortSignal.timeout(counterTimeoutMs),
    )
    return { count: row?.count as number, resetSeconds: windowStart + windowSeconds - epoch }
  } catch (error) {
    log.warn('the rate limit counter failed; the request goes through', { error: error as Error })
    return undefined
  }
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
  throw new ProblemError(
    'rate_limited',
    `More than ${limit} requests in this minute; try again in ${resetSeconds} seconds.`,
    { headers: { 'retry-after': String(resetSeconds) } },
  )
}
