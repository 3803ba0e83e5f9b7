/**
 * Live health in the table: a row per minute and reported target, and a row for the last cooldown of each target. The
 * rows have their own partition and expire. They are not settings, so the audit trail does not record them.
 */
import type { RequestContext } from '../audit/request-context.ts'
import { ProblemError } from '../problem.ts'
import { log } from '../runtime/log.ts'
import { writeTogether } from '../storage/commit.ts'
import { queryRange } from '../table/query.ts'
import { getRows } from '../table/read.ts'
import { fromRow, orgPartition, type Row, type RowKey } from '../table/rows.ts'
import { updateRowIf } from '../table/update.ts'
import { updateIf, type Write } from '../table/writes.ts'
import {
  type Bucket,
  type Cooldown,
  type CooldownStep,
  cooldownWindowMinutes,
  type Gauge,
  minuteOf,
  trialLifeMs,
  windowMinutes,
  windowStart,
} from './health.ts'

const healthPartition = (orgId: string): string => `${orgPartition(orgId)}#HEALTH`
const minuteKey = (minute: number): string => `B#${String(minute).padStart(9, '0')}#`
const cooldownPrefix = 'C#'
const cooldownKey = (orgId: string, targetId: string): RowKey => ({
  pk: healthPartition(orgId),
  sk: cooldownPrefix + targetId,
})
const gaugePrefix = 'g:'

/** Rows outlive the window a little. DynamoDB deletes them some time after they expire. */
const bucketLifeSeconds = (windowMinutes + 10) * 60

/** The counts that one reporter sends for one target. */
export interface Report {
  targetId: string
  started: number
  succeeded: number
  failed: number
  tokens: number
  inflight: number
  latencySumMs: number
  latencyCount: number
}

export interface Reporter {
  id: string
  /** A row accepts the reporter while it has fewer reporters than this. This bounds the size of a row. */
  places: number
  /** Whether its reports can open and close cooldowns. */
  trusted: boolean
}

/** The part of the request context that a report needs. */
export type ReportContext = Pick<RequestContext, 'requestId' | 'now'> & { deadline: Date }

/** Counts reports of different targets, all or none. */
export async function countReports(
  orgId: string,
  reporter: Reporter,
  reports: readonly Report[],
  context: ReportContext,
): Promise<void> {
  const writes = reports.map((report) => counted(orgId, reporter, report, context))
  await writeTogether(writes, context.deadline)
}

function counted(
  orgId: string,
  { id: reporter, places, trusted }: Reporter,
  report: Report,
  context: ReportContext,
): Write {
  const { requestId, now } = context
  const gauge = gaugePrefix + reporter
  const write = updateIf(
    { pk: healthPartition(orgId), sk: minuteKey(minuteOf(now.getTime())) + report.targetId },
    {
      ...countExpressions,
      ExpressionAttributeNames: { '#gauge': gauge },
      ExpressionAttributeValues: {
        ...countValues(report, trusted),
        ':reporters': new Set([reporter]),
        ':reporter': reporter,
        ':places': places,
        ':request': requestId,
        ':gauge': { inflight: report.inflight, at: now.getTime(), rid: requestId },
        ':end': Math.floor(now.getTime() / 1000) + bucketLifeSeconds,
      },
    },
    () => new ProblemError('conflict', `${report.targetId} already has reports of ${places} reporters in this minute.`),
  )
  const isDone = (row: Record<string, unknown>) => (row[gauge] as { rid?: string } | undefined)?.rid === requestId
  return { ...write, isDone }
}

/** Adds the counts of a report once: the reporter's gauge names the request that wrote it last. */
const countExpressions = {
  UpdateExpression:
    'ADD started :started, succeeded :succeeded, failed :failed, tokens :tokens, latency_sum_ms :sum, latency_count :ended, reporters :reporters, ' +
    'untrusted_succeeded :untrustedSucceeded, untrusted_failed :untrustedFailed ' +
    'SET #gauge = :gauge, expires_at_epoch = :end',
  ConditionExpression:
    '(attribute_not_exists(#gauge) OR #gauge.rid <> :request) AND ' +
    '(attribute_not_exists(reporters) OR contains(reporters, :reporter) OR size(reporters) < :places)',
}

const countValues = (report: Report, trusted: boolean): Record<string, number> => ({
  ':started': report.started,
  ':succeeded': report.succeeded,
  ':failed': report.failed,
  ':tokens': report.tokens,
  ':untrustedSucceeded': trusted ? 0 : report.succeeded,
  ':untrustedFailed': trusted ? 0 : report.failed,
  ':sum': report.latencySumMs,
  ':ended': report.latencyCount,
})

/** The buckets of all targets in the rate window, by target. */
export async function readBuckets(orgId: string, now: Date): Promise<Map<string, Bucket[]>> {
  const nowMs = now.getTime()
  const [from, to] = [windowStart(nowMs), minuteOf(nowMs) + 1 + clockMinutes]
  return byTarget(await queryRange(healthPartition(orgId), minuteKey(from), minuteKey(to)))
}

/** Clocks of instances differ by less than a minute. */
const clockMinutes = 1

const byTarget = (rows: readonly Row[]): Map<string, Bucket[]> =>
  Map.groupBy(rows.map(toBucket), ({ targetId }) => targetId)

/** The buckets of the given targets in the shorter cooldown window. */
export async function readBucketsOf(
  orgId: string,
  targetIds: readonly string[],
  now: Date,
): Promise<Map<string, Bucket[]>> {
  const minute = minuteOf(now.getTime())
  const minutes = Array.from(
    { length: cooldownWindowMinutes + clockMinutes },
    (_, index) => minute - cooldownWindowMinutes + 1 + index,
  )
  const pk = healthPartition(orgId)
  return byTarget(await getRows(targetIds.flatMap((id) => minutes.map((of) => ({ pk, sk: minuteKey(of) + id })))))
}

function toBucket(row: Row): Bucket {
  const [, minute = '', targetId = ''] = row.sk.split('#')
  const number = (name: string): number => Number(row[name] ?? 0)
  const gauges = Object.entries(row)
    .filter(([name]) => name.startsWith(gaugePrefix))
    .map(([name, value]): [string, Gauge] => {
      const { inflight, at } = value as { inflight: number; at: number }
      return [name.slice(gaugePrefix.length), { inflight, atMs: at }]
    })
  return {
    targetId,
    minute: Number(minute),
    started: number('started'),
    succeeded: number('succeeded'),
    failed: number('failed'),
    tokens: number('tokens'),
    untrusted: { succeeded: number('untrusted_succeeded'), failed: number('untrusted_failed') },
    latencySumMs: number('latency_sum_ms'),
    latencyCount: number('latency_count'),
    gauges: new Map(gauges),
  }
}

type CooldownRecord = Pick<Cooldown, 'reason' | 'closed'> & { until_ms: number }

/** The last cooldown of each target that had one recently. */
export async function readCooldowns(orgId: string): Promise<Map<string, Cooldown>> {
  const rows = await queryRange(healthPartition(orgId), cooldownPrefix, `${cooldownPrefix}~`)
  return new Map(
    rows.map((row) => {
      const { until_ms: untilMs, reason, closed } = fromRow<CooldownRecord>(row)
      return [row.sk.slice(cooldownPrefix.length), { untilMs, reason, closed }]
    }),
  )
}

/** Applies a step, unless another report has moved the deadline first. */
export async function takeStep(
  orgId: string,
  targetId: string,
  step: CooldownStep,
  seen: Cooldown | undefined,
): Promise<void> {
  if (step.kind === 'none') return
  const update =
    step.kind === 'open'
      ? {
          UpdateExpression: 'SET until_ms = :until, reason = :reason, expires_at_epoch = :end REMOVE closed',
          ConditionExpression: 'attribute_not_exists(until_ms) OR until_ms < :until',
          ExpressionAttributeValues: {
            ':until': step.untilMs,
            ':reason': step.reason,
            ':end': Math.ceil((step.untilMs + trialLifeMs) / 1000),
          },
        }
      : {
          UpdateExpression: 'SET closed = :closed',
          ConditionExpression: 'until_ms = :seen',
          ExpressionAttributeValues: { ':closed': step.closed, ':seen': seen?.untilMs ?? 0 },
        }
  await updateRowIf(cooldownKey(orgId, targetId), update)
}

/**
 * Ends the cooldown of a target after a successful test, a new key or a new endpoint. Failures of the current minute
 * have already had their effect, so counting starts with the next minute. Never rejects: the cooldown also ends at its
 * deadline.
 */
export async function endCooldown(orgId: string, targetId: string, now: Date): Promise<void> {
  const nowMs = now.getTime()
  const ending = updateRowIf(cooldownKey(orgId, targetId), {
    UpdateExpression: 'SET until_ms = :now, closed = :closed',
    ConditionExpression: 'until_ms > :now',
    ExpressionAttributeValues: {
      ':now': nowMs,
      ':closed': { minute: minuteOf(nowMs) + 1, succeeded: 0, failed: 0 },
    },
  })
  await ending.catch((error: Error) => log.warn('could not end a cooldown; it ends at its deadline', { error }))
}
