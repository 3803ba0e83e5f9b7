/** Formats amounts, intervals and dates for people. */

/** `120000`, `usd`: `$1,200.00`. */
export const formatMoney = (cents: number, currency: string): string =>
  new Intl.NumberFormat('en-US', { style: 'currency', currency }).format(cents / 100)

/** `{interval: month, interval_count: 1}`: `per month`; with 3, `every 3 months`. */
export const formatRhythm = ({ interval, interval_count }: { interval: string; interval_count: number }): string =>
  interval_count === 1 ? `per ${interval}` : `every ${interval_count} ${interval}s`

/** Epoch seconds as a date. */
export const formatDate = (seconds: number): string =>
  new Intl.DateTimeFormat('en-US', { dateStyle: 'medium', timeZone: 'UTC' }).format(seconds * 1000)
