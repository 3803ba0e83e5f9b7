/** Sealing the events of a batch of the table's stream. */
import { eventPrefix } from '../audit/event-rows.ts'
import { log } from '../runtime/log.ts'
import { emitMetrics } from '../runtime/metrics.ts'
import type { StreamRecord } from '../runtime/table-stream.ts'
import { orgIdOf } from '../table/rows.ts'
import { signIfDue } from './checkpoints.ts'
import { ChainCutError, sealEvents } from './seal.ts'

/** Seals the events of each org; returns the records of orgs that failed. */
export async function sealRecords(records: readonly StreamRecord[]): Promise<readonly StreamRecord[]> {
  const byOrg = Map.groupBy(records.filter(isEvent), ({ dynamodb }) => orgIdOf(dynamodb?.Keys?.pk?.S ?? ''))
  const failed = await Promise.all([...byOrg].map(async ([orgId, its]) => ((await sealOfOrg(orgId, its)) ? [] : its)))
  // In the order of the batch: Lambda retries from the first one on.
  const failures = new Set(failed.flat())
  return records.filter((record) => failures.has(record))
}

const isEvent = ({ dynamodb }: StreamRecord): boolean => dynamodb?.Keys?.sk?.S?.startsWith(eventPrefix) ?? false

/** Whether the events of one org are sealed, or never can be. A failed org does not stop the others. */
async function sealOfOrg(orgId: string, records: readonly StreamRecord[]): Promise<boolean> {
  const ids = records.map(({ dynamodb }) => (dynamodb?.Keys?.sk?.S ?? '').slice(eventPrefix.length))
  try {
    const count = await sealEvents(orgId, ids, new Date())
    if (count > 0) noteSealed(orgId, count, records)
    await sign(orgId)
    return true
  } catch (error) {
    if (error instanceof ChainCutError) {
      // A retry does not help, and would hold up other orgs.
      log.error('an audit chain lost its end', { org_id: orgId, error })
      emitMetrics('an audit chain lost its end', { AuditFaults: 1 }, { org_id: orgId, reason: 'cut' })
      return true
    }
    log.warn('events were not sealed; Lambda tries again', { org_id: orgId, error: error as Error })
    return false
  }
}

function noteSealed(orgId: string, AuditEventsSealed: number, records: readonly StreamRecord[]): void {
  const written = Math.min(...records.map(({ dynamodb }) => dynamodb?.ApproximateCreationDateTime ?? Infinity))
  const AuditSealSeconds = Number.isFinite(written) ? Math.max(0, Date.now() / 1000 - written) : 0
  emitMetrics('events sealed', { AuditEventsSealed, AuditSealSeconds }, { org_id: orgId })
}

/** The events are sealed without a signature too: a failure is counted, and the next run signs. */
async function sign(orgId: string): Promise<void> {
  try {
    await signIfDue(orgId, new Date())
  } catch (error) {
    log.error('a chain was not signed', { org_id: orgId, error: error as Error })
    emitMetrics('a chain was not signed', { AuditFaults: 1 }, { org_id: orgId, reason: 'unsigned' })
  }
}
