/** Billing periods, counted from an anchor in UTC. A month without the anchor's day uses its last day. */

export const daySeconds = 86_400
export const hourSeconds = 3600

interface Cadence {
  interval: string
  interval_count: number
}

/** The end of the period that contains `start`; `anchor` is the start of the first period. */
export function periodEnd(anchor: number, start: number, cadence: Cadence): number {
  let count = Math.max(0, Math.floor((start - anchor) / roughSeconds(cadence)) - 1)
  while (addPeriods(anchor, cadence, count) <= start) count += 1
  return addPeriods(anchor, cadence, count)
}

/** Whether two prices have the same billing interval. */
export const isSameCadence = (a: Cadence, b: Cadence): boolean =>
  a.interval === b.interval && a.interval_count === b.interval_count

function roughSeconds({ interval, interval_count }: Cadence): number {
  const days = { day: 1, week: 7, month: 31, year: 366 }[interval] ?? 31
  return days * interval_count * daySeconds
}

function addPeriods(anchor: number, { interval, interval_count }: Cadence, count: number): number {
  const steps = interval_count * count
  if (interval === 'day') return anchor + steps * daySeconds
  if (interval === 'week') return anchor + steps * 7 * daySeconds
  return addMonths(anchor, interval === 'year' ? steps * 12 : steps)
}

function addMonths(seconds: number, months: number): number {
  const from = new Date(seconds * 1000)
  const to = new Date(seconds * 1000)
  to.setUTCDate(1)
  to.setUTCMonth(from.getUTCMonth() + months)
  const lastDay = new Date(Date.UTC(to.getUTCFullYear(), to.getUTCMonth() + 1, 0)).getUTCDate()
  to.setUTCDate(Math.min(from.getUTCDate(), lastDay))
  return to.getTime() / 1000
}
