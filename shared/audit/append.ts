/** Appending to an org's audit trail: one new row, which no other writer touches. The sealer chains it later. */
import { newEventId } from '../ids.ts'
import { insert, type Write } from '../table/writes.ts'
import { type AuditDraft, type AuditEvent, type EventContent, hashOf } from './event.ts'
import { eventKey } from './event-rows.ts'
import type { RequestContext } from './request-context.ts'

/**
 * The event of a change, not sealed yet, and the write that stores it. `now`: the time of the write, not of its request, so that
 * the events of one row are in the order of its changes.
 */
export function append(draft: AuditDraft, context: RequestContext, now: Date): { event: AuditEvent; write: Write } {
  const content: EventContent = {
    id: newEventId(now),
    timestamp: now.toISOString(),
    ...draft,
    actor: context.actor,
    request_id: context.requestId,
    ...(context.ip ? { ip: context.ip } : {}),
    ...(context.userAgent ? { user_agent: context.userAgent } : {}),
  }
  const hash = hashOf(content)
  return {
    event: { ...content, hash, sealed: null },
    // Without an expiry: the sealer sets that of the block.
    write: insert({ ...eventKey(context.orgId, content.id), ...content, hash }),
  }
}
