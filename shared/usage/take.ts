/** Takes a request with records of usage: checks times, counts, and appends the events of thresholds. */
import { createHash } from 'node:crypto'
import type { RequestContext } from '../audit/request-context.ts'
import { type InputFault, invalidInput } from '../problem.ts'
import type { Timing } from '../runtime/timing.ts'
import type { Metric } from '../usage-limits/record.ts'
import { type Countable, type Counted, countUsage } from './count.ts'
import { idKey } from './ids.ts'
import { usedOf } from './month.ts'
import { monthOf } from './period.ts'
import {
  dedupeHours,
  maxAgeHours,
  maxAheadMinutes,
  type UsageRecord,
  type UsageRecorded,
  type UsageRequest,
} from './record.ts'
import { standingOf } from './standing.ts'
import { reachThresholds } from './thresholds.ts'

interface Taking {
  context: RequestContext
  deadline: Date
  /** Principal and `Idempotency-Key`: a repetition after a lost answer must not count records without ids again. */
  idempotency: { principal: string; key: string } | undefined
  timing?: Timing
  maxIdsBesideCounters?: number
}

/**
 * Counts the records of a request, and answers with the usage after it.
 *
 * @throws ProblemError `invalid_input` for times out of range, `service_unavailable`, `conflict`
 */
export async function takeUsage(request: UsageRequest, taking: Taking): Promise<UsageRecorded> {
  const { context, deadline, idempotency: _idempotency, ...seams } = taking
  const { orgId, now } = context
  requireTimes(request.records, now)
  const records = request.records.map((record) => countable(record, taking))
  const counted = await countUsage({ orgId, mode: request.mode, records, now, deadline, ...seams })
  const metrics = new Set(records.map(({ metric }) => metric))
  await reachThresholds(counted.months.values(), metrics, counted.limits, context, deadline, seams.timing)
  return toAnswer(counted, metrics, now)
}

function requireTimes(records: readonly UsageRecord[], now: Date): void {
  const faults = records.flatMap(({ at }, index): InputFault[] => {
    const ageMs = at === undefined ? 0 : now.getTime() - Date.parse(at)
    const fault =
      ageMs > maxAgeHours * 3_600_000
        ? `must be at most ${maxAgeHours} hours ago`
        : ageMs < -maxAheadMinutes * 60_000
          ? `must be at most ${maxAheadMinutes} minutes ahead`
          : undefined
    return fault ? [{ path: `records.${index}.at`, code: 'out_of_range', message: fault }] : []
  })
  if (faults.length > 0) throw invalidInput(faults)
}

function countable(record: UsageRecord, { context: { orgId, now }, idempotency }: Taking): Countable {
  const atMs = Math.min(record.at === undefined ? now.getTime() : Date.parse(record.at), now.getTime())
  const isNow = record.at === undefined || Date.parse(record.at) > now.getTime()
  const timed = { metric: record.metric, amount: 'add' in record ? record.add : record.set, atMs, isNow }
  if (record.id !== undefined) {
    return { ...timed, id: { key: idKey(orgId, record.id), keepSeconds: dedupeHours * 3600 }, isImplied: false }
  }
  if (!idempotency) return { ...timed, isImplied: false }
  return { ...timed, id: { key: impliedKey(orgId, idempotency), keepSeconds: keyHours * 3600 }, isImplied: true }
}

/** How long an `Idempotency-Key` is kept. */
const keyHours = 24

/** No id has a control character, so none can be the same. */
const impliedKey = (orgId: string, { principal, key }: NonNullable<Taking['idempotency']>) =>
  idKey(orgId, `\n${principal}\n${createHash('sha256').update(key).digest('hex')}`)

function toAnswer(counted: Counted, metrics: ReadonlySet<Metric>, now: Date): UsageRecorded {
  const { accepted, duplicates, refusals, limits, months } = counted
  const month = months.get(monthOf(now.getTime()))
  const usage = [...metrics].map((metric) => [
    metric,
    standingOf(month ? usedOf(month, metric) : 0, limits[metric].limit),
  ])
  return {
    accepted,
    duplicates,
    permitted: refusals.length === 0,
    exceeded: refusals,
    usage: Object.fromEntries(usage),
  }
}
