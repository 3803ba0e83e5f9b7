/** Formats amounts, intervals and dates for people. */

/** `120000`, `usd`: `$1,200.00`. */
export function formatMoney(cents: number, currency: string): string {
  const format = moneyFormats.get(currency) ?? new Intl.NumberFormat('en-US', { style: 'currency', currency })
  moneyFormats.set(currency, format)
  return format.format(cents / 100)
}

/** Formats by currency: creating one takes far longer than using it. */
const moneyFormats = new Map<string, Intl.NumberFormat>()

/** `{interval: month, interval_count: 1}`: `per month`; with 3, `every 3 months`. */
export const formatRhythm = ({ interval, interval_count }: { interval: string; interval_count: number }): string =>
  interval_count === 1 ? `per ${interval}` : `every ${interval_count} ${interval}s`

/** Epoch seconds as a date. */
export const formatDate = (seconds: number): string => dateFormat.format(seconds * 1000)

const dateFormat = new Intl.DateTimeFormat('en-US', { dateStyle: 'medium', timeZone: 'UTC' })
