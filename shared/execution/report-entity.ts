/** Taking in a batch of reports: all of its targets must exist, then it is counted, then cooldowns follow. */
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
 * How many reporters a row has places for: a hundred rows, with all that is in them, must fit into one transaction of
 * 4 MB. Keys that lie open in pages may not take all of the places.
 */
const places = { publishable: 100, others: 200 }

const isPublishable = (caller: Caller): boolean => caller.kind === 'api_key' && caller.keyType === 'publishable'

/** Who reports: as it says itself, else the credential. */
export const reporterOf = (caller: Caller, named: string | undefined): Reporter =>
  reporterNamed(named ?? principalOf(caller), isPublishable(caller) ? 'publishable' : 'others')

/** A reporter by a digest of its name, which is short whatever the name is. */
export const reporterNamed = (name: string, kind: keyof typeof places = 'others'): Reporter => ({
  id: createHash('sha256').update(name).digest('base64url').slice(0, 22),
  places: places[kind],
  // A publishable key lies open: what it reports is counted, and closes nothing.
  trusted: kind === 'others',
})

/**
 * Counts a batch.
 *
 * @throws ProblemError `invalid_input`, naming each report of a target that the org does not have; nothing is counted then
 */
export async function takeReports(reports: ReportsBody['reports'], context: BatchContext): Promise<void> {
  const { orgId, reporter, now } = context
  const unknown = await unknownTargets(orgId, new Set(reports.map(({ target_id }) => target_id)))
  const faults = [...reports.entries()]
    .filter(([, { target_id }]) => unknown.has(target_id))
    .map(([index]) => ({
      path: `reports.${index}.target_id`,
      code: 'unknown_target',
      message: 'is no target of this organization; nothing of the batch was counted',
    }))
  if (faults.length > 0) throw invalidInput(faults)
  const merged = mergedByTarget(reports)
  await countReports(orgId, reporter, [...merged.values()], context)
  if (!reporter.trusted) return
  try {
    await moveCooldowns(orgId, merged, now)
  } catch (error) {
    // What is counted must not be sent again; the next failing report opens the cooldown.
    log.error('a cooldown could not be moved', { org_id: orgId, error: error as Error })
  }
}

type Merged = Report & Reported

/** Reports of one target in one batch are one: counts are added, the last gauge counts. */
function mergedByTarget(reports: ReportsBody['reports']): Map<string, Merged> {
  const merged = new Map<string, Merged>()
  for (const report of reports) {
    const { target_id: targetId, inflight, latency_ms_p50, retry_after_seconds = 0 } = report
    const before = merged.get(targetId)
    // A median stands for each request that ended; in whole milliseconds, since sums of fractions cannot be read back.
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

/** What others than publishable keys reported. */
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
  // Most reports are of targets that work; only others need to know what was before.
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
