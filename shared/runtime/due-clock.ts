/**
 * The clock of due times: retries, expiries of secrets, deadlines in days. It equals the real clock, unless a local service
 * moves it to try what happens later. Times that callers see come from the real clock.
 */
let aheadMs = 0

/** Epoch milliseconds. */
export const dueNowMs = (): number => Date.now() + aheadMs

/** A time of the real clock, on this clock. */
export const dueTimeOf = (time: Date): Date => new Date(time.getTime() + aheadMs)

/** Moves the clock. Only the local service does. */
export function advanceDueClock(seconds: number): void {
  aheadMs += seconds * 1000
}
