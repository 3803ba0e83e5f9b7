/** Token buckets per route, as in API Gateway. */
import type { RouteThrottles, Throttle } from '../functions/throttles.ts'

interface Bucket {
  tokens: number
  filledAtMs: number
}

/** Takes one token of a route's bucket; false when it is empty. */
export type TakeToken = (routeKey: string) => boolean

export function tokenBuckets({ default: usual, exceptions }: RouteThrottles, now: () => number): TakeToken {
  const buckets = new Map<string, Bucket>()
  return (routeKey) => {
    const throttle = exceptions[routeKey] ?? usual
    const bucket = refilled(buckets.get(routeKey), throttle, now())
    buckets.set(routeKey, bucket)
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }
}

function refilled(bucket: Bucket | undefined, { rateLimit, burstLimit }: Throttle, nowMs: number): Bucket {
  if (!bucket) return { tokens: burstLimit, filledAtMs: nowMs }
  const gained = ((nowMs - bucket.filledAtMs) / 1000) * rateLimit
  return { tokens: Math.min(burstLimit, bucket.tokens + gained), filledAtMs: nowMs }
}
