/** Accepts a batch of reports: checks that all targets exist, counts the reports, then updates cooldowns. */
import { createHash } from 'node:crypto'
import { type Caller, principalOf } from '../auth/caller.ts'
import { invalidInput } from '../problem.ts'
import { log } from '../runtime/log.ts'
import { readDocument } from '../storage/document.ts'
import { type Bucket, cooldownStep, type Reported, stateOf } from './health.ts'
import {
  countReports,
  type Report,
  type ReportContext,
  type Reporter,
  readBucketsOf,
  readCooldowns,
  takeStep,
} from './health-entity.ts'
import type { ReportsBody } from './report.ts'
import { routing } from './routing.ts'
import { unknownTargets } from './targets.ts'

interface BatchContext extends ReportContext {
  orgId: string
  reporter: Reporter
}

/**
 * Reporters that a row has places for: a hundred full rows must fit into one transaction of 4 MB. Publishable keys,
 * which are public, cannot take all places.
 */
const places = { publishable: 100, others: 200 }

const isPublishable = (caller: Caller): boolean => caller.kind === 'api_key' && caller.keyType === 'publishable'

/** The reporter: the name in the request, else the credential. */
export const reporterOf = (caller: Caller, named: string | undefined): Reporter =>
  reporterNamed(named ?? principalOf(caller), isPublishable(caller) ? 'publishable' : 'others')

/** A reporter by the digest of its name, which has a fixed length. */
export const reporterNamed = (name: string, kind: keyof typeof places = 'others'): Reporter => ({
  id: createHash('sha256').update(name).digest('base64url').slice(0, 22),
  places: places[kind],
  // Publishable keys are public: their reports count, but do not change cooldowns.
  trusted: kind === 'others',
})

/**
 * Counts a batch.
 *
 * @throws ProblemError `invalid_input`, naming each report of an unknown target; then nothing is counted
 */
export async function takeReports(reports: ReportsBody['reports'], context: BatchContext): Promise<void> {
  const { orgId, reporter, now } = context
  const unknown = await unknownTargets(orgId, new Set(reports.map(({ target_id }) => target_id)))
  const faults = [...reports.entries()]
    .filter(([, { target_id }]) => unknown.has(target_id))
    .map(([index]) => ({
      path: `reports.${index}.target_id`,
      code: 'unknown_target',
      message: 'is not a target of this organization; no report of the batch was counted',
    }))
  if (faults.length > 0) throw invalidInput(faults)
  const merged = mergedByTarget(reports)
  await countReports(orgId, reporter, [...merged.values()], context)
  if (!reporter.trusted) return
  try {
    await moveCooldowns(orgId, merged, now)
  } catch (error) {
    // The batch is already counted, so the client must not send it again. The next failing report opens the cooldown.
    log.error('could not update a cooldown', { org_id: orgId, error: error as Error })
  }
}

type Merged = Report & Reported

/** Merges reports of one target: adds the counts and keeps the last gauge. */
function mergedByTarget(reports: ReportsBody['reports']): Map<string, Merged> {
  const merged = new Map<string, Merged>()
  for (const report of reports) {
    const { target_id: targetId, inflight, latency_ms_p50, retry_after_seconds = 0 } = report
    const before = merged.get(targetId)
    // A median counts once per ended request. Rounded to whole milliseconds, since sums of fractions lose precision.
    const weight = latency_ms_p50 === undefined ? 0 : report.succeeded + report.failed
    merged.set(targetId, {
      targetId,
      started: report.started + (before?.started ?? 0),
      succeeded: report.succeeded + (before?.succeeded ?? 0),
      failed: report.failed + (before?.failed ?? 0),
      tokens: (report.tokens ?? 0) + (before?.tokens ?? 0),
      inflight,
      latencySumMs: Math.round((latency_ms_p50 ?? 0) * weight) + (before?.latencySumMs ?? 0),
      latencyCount: weight + (before?.latencyCount ?? 0),
      retryAfterSeconds: Math.max(retry_after_seconds, before?.retryAfterSeconds ?? 0),
    })
  }
  return merged
}

/** The counts without the reports of publishable keys. */
const trustedPart = (bucket: Bucket): Bucket => ({
  ...bucket,
  succeeded: bucket.succeeded - bucket.untrusted.succeeded,
  failed: bucket.failed - bucket.untrusted.failed,
})

async function moveCooldowns(orgId: string, reports: ReadonlyMap<string, Merged>, now: Date): Promise<void> {
  const nowMs = now.getTime()
  const cooldowns = await readCooldowns(orgId)
  const telling = [...reports.values()].filter(
    ({ targetId, failed, retryAfterSeconds }) =>
      failed > 0 || retryAfterSeconds > 0 || stateOf(cooldowns.get(targetId), nowMs) === 'trial',
  )
  // Most reports are about working targets; only the others need the history.
  if (telling.length === 0) return
  const ids = telling.map(({ targetId }) => targetId)
  const [buckets, { value }] = await Promise.all([readBucketsOf(orgId, ids, now), readDocument(routing, orgId)])
  await Promise.all(
    telling.map((report) => {
      const cooldown = cooldowns.get(report.targetId)
      const before = { buckets: (buckets.get(report.targetId) ?? []).map(trustedPart), cooldown, nowMs }
      const step = cooldownStep(report, { ...before, cooldownSeconds: value.cooldown_seconds })
      return takeStep(orgId, report.targetId, step, cooldown)
    }),
  )
}
