/** Listing the audit events of an org. */
import { equalsFilter, queryPage } from '../table/query.ts'
import { orgPartition } from '../table/rows.ts'
import type { AuditEvent } from './event.ts'
import { eventPrefix, eventsFrom, isKept, toEvent } from './event-rows.ts'

export interface EventFilter {
  action?: string | undefined
  actor_id?: string | undefined
  resource_id?: string | undefined
  /** Inclusive. */
  from?: string | undefined
  /** Exclusive. */
  to?: string | undefined
}

/** One page of the events of an org, newest first, without expired ones. */
export async function listEvents(
  orgId: string,
  filter: EventFilter,
  page: { limit: number; after: string | undefined; now: Date },
): Promise<{ data: AuditEvent[]; next: string | undefined }> {
  const { rows, next } = await queryPage({
    partition: orgPartition(orgId),
    prefix: eventPrefix,
    // The sort key of an event is longer than that of its time: this makes `from` inclusive and `to` exclusive.
    ...(filter.from ? { from: eventsFrom(filter.from) } : {}),
    ...(filter.to ? { to: eventsFrom(filter.to) } : {}),
    newestFirst: true,
    limit: page.limit,
    after: page.after,
    filter: equalsFilter({ action: filter.action, 'actor.id': filter.actor_id, 'resource.id': filter.resource_id }),
  })
  const kept = rows.filter((row) => isKept(row, page.now))
  return { data: kept.map(toEvent), next: kept.length < rows.length ? undefined : next }
}
