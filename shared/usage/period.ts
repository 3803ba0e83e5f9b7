/** Periods of usage: calendar months in UTC, written `2026-11`. */

/** A period can be this many months before the current one. */
export const readableMonths = 12

export const monthOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 7)

/** The two digits of the day of the month. */
export const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(8, 10)

export function addMonths(month: string, count: number): string {
  const [year, number] = month.split('-').map(Number) as [number, number]
  return monthOf(Date.UTC(year, number - 1 + count))
}

export const startOf = (month: string): Date => new Date(`${month}-01T00:00:00.000Z`)

/** Whether this service still answers for a month. */
export const isReadable = (month: string, now: Date): boolean => {
  const current = monthOf(now.getTime())
  return month <= current && month >= addMonths(current, -readableMonths)
}
