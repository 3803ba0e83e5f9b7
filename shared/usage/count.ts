/** Counts the records of a request: all of its new ones in one write, or none. */
import { randomUUID } from 'node:crypto'
import { ProblemError } from '../problem.ts'
import { realTiming, type Timing } from '../runtime/timing.ts'
import { pauseBeforeNext } from '../storage/commit.ts'
import type { Metric } from '../usage-limits/record.ts'
import { LostRaceError, transactOnce, updateOnce } from './attempt.ts'
import { changesOf, type MonthChange, refusalsOf, type TimedRecord } from './changes.ts'
import { type Id, idWrites, type KnownIds, readIds, requestCounted } from './ids.ts'
import { isSum } from './metrics.ts'
import { type Month, readMonth, storedMonth, usedOf } from './month.ts'
import { type Bound, monthUpdates, requireAbsent } from './month-writes.ts'
import { monthOf } from './period.ts'
import type { UsageRecorded } from './record.ts'
import { type EffectiveLimits, readLimits } from './standing.ts'

/** A record, and what makes it count once. */
export interface Countable extends TimedRecord {
  id?: Id
  /** A repetition counts as accepted, not as a duplicate: the caller did not name the id. */
  isImplied: boolean
}

export interface CountRequest {
  orgId: string
  mode: 'record' | 'consume'
  records: readonly Countable[]
  now: Date
  deadline: Date
  timing?: Timing
  /** For the simulation, which tries both ways of writing ids. */
  maxIdsBesideCounters?: number
}

export interface Counted {
  accepted: number
  duplicates: number
  /** The limits that refused the request; empty when it was counted. */
  refusals: UsageRecorded['exceeded']
  limits: EffectiveLimits
  /** The months of the records, and the current one, after the request. */
  months: ReadonlyMap<string, Month>
}

/** A transaction with more ids holds the hot row for longer than claims made before take. */
const defaultMaxIds = 25

/**
 * Counts a request. Retries lost races with a fresh read, until the deadline.
 *
 * @throws ProblemError `service_unavailable` when the deadline ends the retries; then nothing is counted
 * @throws ProblemError `conflict` when a sum would become too large to count
 */
export async function countUsage(request: CountRequest): Promise<Counted> {
  const { deadline, timing = realTiming } = request
  for (let attempt = 0; ; attempt++) {
    try {
      return await attemptToCount(request)
    } catch (error) {
      if (!(error instanceof LostRaceError)) throw error
      await pauseBeforeNext(attempt, deadline, error, timing)
    }
  }
}

/** Servers' clocks differ by less. Near the end of a month, another server can be in the next one. */
const maxClockErrorMs = 5 * 60_000

async function attemptToCount(request: CountRequest): Promise<Counted> {
  const { orgId, mode, records, now } = request
  const current = monthOf(now.getTime())
  const next = monthOf(now.getTime() + maxClockErrorMs)
  const named = new Set([current, next, ...records.map(({ atMs }) => monthOf(atMs))])
  const ids = [...new Map(records.flatMap(({ id }) => (id ? [[id.key.pk, id] as const] : []))).values()]
  const [limits, known, months] = await Promise.all([
    readLimits(orgId, now),
    readIds(orgId, ids, now),
    readMonths(orgId, [...named].sort()),
  ])
  const open = months.get(next)?.isStored ? [...new Set([current, next])] : [current]
  const { fresh, duplicates } = withoutDuplicates(records, known)
  const changes = changesOf(fresh, months, open)
  const result = { accepted: records.length - duplicates, duplicates, refusals: [], limits, months }
  if (fresh.length === 0) return result
  const refusals = mode === 'consume' ? refusalsOf(changes, limits) : []
  if (refusals.length > 0) return { ...result, accepted: 0, refusals }
  requireCountable(changes)
  const newIds = ids.filter(({ key }) => !known.counted.has(key.pk))
  const bound = boundOf(mode, limits)
  const newest = open.findLast((month) => months.get(month)?.isStored)
  const after = await write(request, { changes, newest, newIds, known, bound, months })
  return { ...result, months: new Map([...months, ...after]) }
}

/**
 * Reads months one after the other, oldest first. A month that begins after this changes the version of the one before it,
 * so a write that has not seen it fails.
 */
async function readMonths(orgId: string, named: readonly string[]): Promise<Map<string, Month>> {
  const months = new Map<string, Month>()
  for (const month of named) months.set(month, await readMonth(orgId, month))
  return months
}

/** Drops records whose id was counted, by an earlier request or by an earlier record of this one. */
function withoutDuplicates(records: readonly Countable[], { counted }: KnownIds) {
  const seen = new Set<string>()
  const isRepeated = ({ id, isImplied }: Countable): boolean => {
    if (!id) return false
    const isKnown = counted.has(id.key.pk) || (seen.has(id.key.pk) && !isImplied)
    seen.add(id.key.pk)
    return isKnown
  }
  const repeated = new Set(records.filter(isRepeated))
  return {
    fresh: records.filter((record) => !repeated.has(record)),
    duplicates: [...repeated].filter(({ isImplied }) => !isImplied).length,
  }
}

/** The table takes larger numbers, but JSON's readers do not. */
function requireCountable(changes: readonly MonthChange[]): void {
  for (const { before, added } of changes) {
    for (const [metric, amount] of added) {
      if (usedOf(before, metric) + amount <= Number.MAX_SAFE_INTEGER) continue
      throw new ProblemError('conflict', `${metric} of ${before.month} would pass ${Number.MAX_SAFE_INTEGER}.`)
    }
  }
}

const boundOf =
  (mode: CountRequest['mode'], limits: EffectiveLimits): Bound =>
  (metric: Metric) => {
    const { limit, mode: limitMode } = limits[metric]
    const isHeld = mode === 'consume' && limitMode === 'enforce' && isSum(metric)
    return isHeld ? (limit ?? Number.MAX_SAFE_INTEGER) : Number.MAX_SAFE_INTEGER
  }

interface Writing {
  changes: readonly MonthChange[]
  /** The newest month that has a row, if it is current. */
  newest: string | undefined
  newIds: readonly Id[]
  known: KnownIds
  bound: Bound
  months: ReadonlyMap<string, Month>
}

/** Writes the changes with the new ids, and returns the changed months as they are afterwards. */
async function write(
  { orgId, now, maxIdsBesideCounters = defaultMaxIds }: CountRequest,
  { changes, newest, newIds, known, bound, months: read }: Writing,
): Promise<[string, Month][]> {
  const token = randomUUID()
  const updates = monthUpdates(orgId, changes, newest, bound, token)
  const [only, ...others] = updates
  const absent = newerAbsent(changes, read).map((month) => requireAbsent(orgId, month))
  if (only && others.length === 0 && absent.length === 0 && newIds.length === 0) {
    const month = storedMonth(await updateOnce(only, token))
    return [[month.month, month]]
  }
  const rows = [...updates.map((Update) => ({ Update })), ...absent]
  if (newIds.length <= maxIdsBesideCounters) await transactOnce([...idWrites(newIds, known, now, undefined), ...rows])
  else {
    await transactOnce(idWrites(newIds, known, now, token))
    await transactOnce([requestCounted(orgId, token, now), ...rows])
  }
  return Promise.all(
    changes.map(async (change) => {
      const { month } = change.before
      return [month, withLevels(await readMonth(orgId, month), change)]
    }),
  )
}

/** Newer months without a row. None may begin while an older one begins or changes a level. */
function newerAbsent(changes: readonly MonthChange[], read: ReadonlyMap<string, Month>): string[] {
  const changed = changes.map(({ before }) => before.month)
  const oldest = changes.find(({ before, sets }) => !before.isStored || sets.size > 0)?.before.month
  return [...read.values()]
    .filter(({ month, isStored }) => oldest && month > oldest && !isStored && !changed.includes(month))
    .map(({ month }) => month)
}

/** Another request can have replaced a level already. The one that this request set may have reached a threshold. */
const withLevels = (after: Month, { sets }: MonthChange): Month => ({
  ...after,
  values: { ...after.values, ...Object.fromEntries(sets) },
})
