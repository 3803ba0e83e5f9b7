/** What the records of a request change: per month the amounts to add and the values to set, and whether limits permit it. */
import type { Metric } from '../usage-limits/record.ts'
import { isSum } from './metrics.ts'
import { attributes, followingMonth, type Month, usedOf } from './month.ts'
import { dayOf, monthOf } from './period.ts'
import type { UsageRecorded } from './record.ts'
import type { EffectiveLimits } from './standing.ts'

/** A record with its time. */
export interface TimedRecord {
  metric: Metric
  amount: number
  atMs: number
  /** The client sent no time, so the order of arrival counts. */
  isNow: boolean
}

/** The change of one month's row. */
export interface MonthChange {
  before: Month
  adds: Map<string, number>
  sets: Map<string, number>
  /** The amounts that sums get, by metric. */
  added: Map<Metric, number>
  /** The levels that change. */
  levels: Set<Metric>
}

const unchanged = (before: Month): MonthChange => ({
  before,
  adds: new Map(),
  sets: new Map(),
  added: new Map(),
  levels: new Set(),
})

/** The changed months, oldest first. `read` has the current month, and every month of a record. */
export function changesOf(
  records: readonly TimedRecord[],
  read: ReadonlyMap<string, Month>,
  current: string,
): MonthChange[] {
  const changes = new Map<string, MonthChange>()
  const changeOf = (month: string): MonthChange => {
    const known = changes.get(month) ?? unchanged(read.get(month) as Month)
    changes.set(month, known)
    return known
  }
  for (const record of records) {
    const month = monthOf(record.atMs)
    if (isSum(record.metric)) addTo(changeOf(month), record)
    else {
      const times = [...new Set([month, current])].map((each) => setIn(changeOf(each), record))
      setDay(changeOf(month), record, Math.max(...times))
    }
  }
  return linked([...changes.values()].sort((a, b) => (a.before.month < b.before.month ? -1 : 1)))
}

function addTo({ adds, added }: MonthChange, { metric, amount, atMs }: TimedRecord): void {
  for (const name of [attributes.used(metric), attributes.day(metric, dayOf(atMs))])
    adds.set(name, (adds.get(name) ?? 0) + amount)
  added.set(metric, (added.get(metric) ?? 0) + amount)
}

const valueIn = ({ before, sets }: MonthChange, name: string): number | undefined =>
  sets.get(name) ?? before.values[name]

/**
 * Sets a level unless a newer value is there. Clocks differ between servers, so a value without a time of its own gets the
 * time of the last one at least.
 */
function setIn(change: MonthChange, { metric, amount, atMs, isNow }: TimedRecord): number {
  const setAt = valueIn(change, attributes.setAt(metric)) ?? 0
  const time = isNow ? Math.max(atMs, setAt) : atMs
  if (time < setAt) return time
  change.sets.set(attributes.used(metric), amount).set(attributes.setAt(metric), time)
  change.levels.add(metric)
  return time
}

function setDay(change: MonthChange, { metric, amount, atMs }: TimedRecord, time: number): void {
  const [name, nameOfTime] = [attributes.day(metric, dayOf(atMs)), attributes.daySetAt(metric, dayOf(atMs))]
  if (time < (valueIn(change, nameOfTime) ?? 0)) return
  change.sets.set(name, amount).set(nameOfTime, time)
}

/** A new month beside a changed older one takes its levels from that one, as they will be. */
function linked(changes: MonthChange[]): MonthChange[] {
  const [older, newer] = changes
  if (!older || !newer || newer.before.isStored) return changes
  const values = { ...older.before.values, ...Object.fromEntries(older.sets) }
  return [older, { ...newer, before: followingMonth(newer.before.month, { ...older.before, values }) }]
}

/** The limits that refuse the changes. */
export const refusalsOf = (changes: readonly MonthChange[], limits: EffectiveLimits): UsageRecorded['exceeded'] =>
  changes
    .flatMap((change) => refusalsIn(change, limits))
    .filter(({ metric }, index, all) => isSum(metric) || all.findIndex((each) => each.metric === metric) === index)

const refusalsIn = (change: MonthChange, limits: EffectiveLimits): UsageRecorded['exceeded'] =>
  [...change.added.keys(), ...change.levels].flatMap((metric) => {
    const { limit, mode } = limits[metric]
    if (limit === null || mode !== 'enforce') return []
    const used = usedOf(change.before, metric)
    const requested = change.added.get(metric) ?? (change.sets.get(attributes.used(metric)) as number)
    // Lowering a level is always permitted.
    const isPassed = isSum(metric) ? used + requested > limit : requested > limit && requested > used
    return isPassed ? [{ metric, limit, used, requested }] : []
  })
