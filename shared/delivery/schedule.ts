/** When a failed delivery is tried again. */

const delaysSeconds = [5, 30, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600]
const maxRetryAfterSeconds = 12 * 3600
/** Jitter adds at most this share, so that failures of one moment are not retried in one moment. */
const jitter = 0.2

/** Seconds until the next attempt after this many; undefined after the last one. */
export function delayAfter(attempts: number, retryAfter: string | undefined, now: Date, random: number) {
  const delay = delaysSeconds[attempts - 1]
  if (delay === undefined) return undefined
  return Math.max(delay * (1 + jitter * random), Math.min(maxRetryAfterSeconds, secondsIn(retryAfter, now)))
}

/** `Retry-After` in seconds or as a date (RFC 9110). 0 for none, and for a text that is neither. */
function secondsIn(retryAfter: string | undefined, now: Date): number {
  const text = retryAfter?.trim() ?? ''
  if (/^\d+$/.test(text)) return Number(text)
  const atMs = /^[A-Za-z]/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(atMs) ? 0 : Math.max(0, (atMs - now.getTime()) / 1000)
}
