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
  /** As read, except for levels that a new month takes from a month of the same request. */
  before: Month
  /** As read. */
  read: Month
  adds: Map<string, number>
  sets: Map<string, number>
  /** The amounts that sums get, by metric. */
  added: Map<Metric, number>
  /** The levels that change. */
  levels: Set<Metric>
}

const unchanged = (read: Month): MonthChange => ({
  before: read,
  read,
  adds: new Map(),
  sets: new Map(),
  added: new Map(),
  levels: new Set(),
})

/**
 * The changed months, oldest first. `read` has every month of a record. `open` are the months that a level moves beside its
 * own: the current one, and the next one if another server has already begun it.
 */
export function changesOf(
  records: readonly TimedRecord[],
  read: ReadonlyMap<string, Month>,
  open: readonly string[],
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
    else setIn([...new Set([month, ...open])].map(changeOf), record)
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
 * time of the last one at least. The first of the months is the record's own.
 */
function setIn(changes: readonly MonthChange[], { metric, amount, atMs, isNow }: TimedRecord): void {
  const [used, setAt] = [attributes.used(metric), attributes.setAt(metric)]
  const timesMs = changes.map((change) => valueIn(change, setAt) ?? 0)
  const timeMs = isNow ? Math.max(atMs, ...timesMs) : atMs
  for (const [index, change] of changes.entries()) {
    if (timeMs < (timesMs[index] ?? 0)) continue
    change.sets.set(used, amount).set(setAt, timeMs)
    change.levels.add(metric)
  }
  const [own] = changes
  const [day, daySetAt] = [attributes.day(metric, dayOf(atMs)), attributes.daySetAt(metric, dayOf(atMs))]
  if (own && timeMs >= (valueIn(own, daySetAt) ?? 0)) own.sets.set(day, amount).set(daySetAt, timeMs)
}

/** A new month beside a changed older one takes its levels from that one, as they will be. */
const linked = (changes: readonly MonthChange[]): MonthChange[] =>
  changes.map((change, index) => {
    const older = changes[index - 1]
    if (!older || change.before.isStored) return change
    const values = { ...older.before.values, ...Object.fromEntries(older.sets) }
    return { ...change, before: followingMonth(change.before.month, { ...older.before, values }) }
  })

/** The limits that refuse the changes. */
export const refusalsOf = (changes: readonly MonthChange[], limits: EffectiveLimits): UsageRecorded['exceeded'] =>
  changes
    .flatMap((change) => refusalsIn(change, limits))
    .filter(({ metric }, index, all) => isSum(metric) || all.findIndex((each) => each.metric === metric) === index)

const refusalsIn = (change: MonthChange, limits: EffectiveLimits): UsageRecorded['exceeded'] =>
  [...change.added.keys(), ...change.levels].flatMap((metric) => {
    const { limit, mode } = limits[metric]
    if (limit === null || mode !== 'enforce') return []
    const used = usedOf(change.read, metric)
    const requested = change.added.get(metric) ?? (change.sets.get(attributes.used(metric)) as number)
    // Lowering a level is always permitted.
    const isPassed = isSum(metric) ? used + requested > limit : requested > limit && requested > used
    return isPassed ? [{ metric, limit, used, requested }] : []
  })
