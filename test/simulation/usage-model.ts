/** Usage counted the naive way: a list of counted records, and sums and levels looked up in it. */
import type { UsageRecord } from '../../shared/usage/record.ts'

const idHours = 48

/** A record that was counted. */
interface Entry {
  metric: string
  amount: number
  /** The day and the month that it counts in. */
  date: string
  /** What levels are ordered by, with `order` among equals. */
  atMs: number
  order: number
}

export interface Request {
  mode: 'record' | 'consume'
  records: readonly UsageRecord[]
  nowMs: number
}

const isLevel = (metric: string): boolean => !metric.endsWith('_monthly')
const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
const secondsOf = (ms: number): number => Math.floor(ms / 1000)

export class NaiveUsage {
  #entries: Entry[] = []
  readonly #ids = new Map<string, number>()

  isCounted(id: string, nowMs: number): boolean {
    const countedMs = this.#ids.get(id)
    return countedMs !== undefined && secondsOf(nowMs) < secondsOf(countedMs) + idHours * 3600
  }

  /** The records of a request that are new now. */
  newOf({ records, nowMs }: Request): UsageRecord[] {
    const seen = new Set<string>()
    return records.filter(({ id }) => {
      if (id === undefined) return true
      const isNew = !this.isCounted(id, nowMs) && !seen.has(id)
      seen.add(id)
      return isNew
    })
  }

  /** Counts the new records of a request, and returns their number. */
  count(request: Request): number {
    const fresh = this.newOf(request)
    for (const record of fresh) {
      if (record.id !== undefined) this.#ids.set(record.id, request.nowMs)
      this.#entries.push(this.#entryOf(record, request.nowMs))
    }
    return fresh.length
  }

  #entryOf(record: UsageRecord, nowMs: number): Entry {
    const sentMs = record.at === undefined ? undefined : Date.parse(record.at)
    const isNow = sentMs === undefined || sentMs > nowMs
    const ownMs = isNow ? nowMs : sentMs
    const newestMs = Math.max(...this.#of(record.metric).map(({ atMs }) => atMs), 0)
    return {
      metric: record.metric,
      amount: 'add' in record ? record.add : record.set,
      date: dateOf(ownMs),
      atMs: isNow ? Math.max(ownMs, newestMs) : ownMs,
      order: this.#entries.length,
    }
  }

  #of = (metric: string): Entry[] => this.#entries.filter((entry) => entry.metric === metric)

  used(metric: string, month: string): number {
    const entries = this.#of(metric)
    if (isLevel(metric)) return newest(entries.filter(({ date }) => date.slice(0, 7) <= month))
    return sum(entries.filter(({ date }) => date.startsWith(month)))
  }

  byDay(metric: string, month: string): { date: string; used: number }[] {
    const entries = this.#of(metric).filter(({ date }) => date.startsWith(month))
    const dates = [...new Set(entries.map(({ date }) => date))].sort()
    return dates.map((date) => {
      const ofDay = entries.filter((entry) => entry.date === date)
      return { date, used: isLevel(metric) ? newest(ofDay) : sum(ofDay) }
    })
  }

  /** The same state, to try a request on. */
  copy(): NaiveUsage {
    const other = new NaiveUsage()
    other.#entries = [...this.#entries]
    for (const [id, at] of this.#ids) other.#ids.set(id, at)
    return other
  }
}

const sum = (entries: readonly Entry[]): number => entries.reduce((total, { amount }) => total + amount, 0)

const newest = (entries: readonly Entry[]): number =>
  entries.reduce<Entry | undefined>(
    (best, entry) =>
      best && (best.atMs > entry.atMs || (best.atMs === entry.atMs && best.order > entry.order)) ? best : entry,
    undefined,
  )?.amount ?? 0
