/** The rows of audit events. The id of an event begins with its time and names its row, so a time range is a key range. */
import { firstIdOf } from '../ids.ts'
import { inOrder } from '../in-order.ts'
import { fromRow, orgPartition, type Row, type RowKey } from '../table/rows.ts'
import type { AuditEvent } from './event.ts'

export const eventPrefix = 'EVENT#'

export const eventKey = (orgId: string, eventId: string): RowKey => ({
  pk: orgPartition(orgId),
  sk: eventPrefix + eventId,
})

export const eventIdOf = (row: RowKey): string => row.sk.slice(eventPrefix.length)

/** The sort key before the first event at or after a time. */
export const eventsFrom = (time: string): string => eventPrefix + firstIdOf('aud', time)

export const epochSeconds = (date: Date): number => Math.floor(date.getTime() / 1000)

/** DynamoDB deletes expired rows late: reads skip them until then. A row without an expiry is kept. */
export const isKept = (row: Row, now: Date): boolean =>
  row.expires_at_epoch === undefined || (row.expires_at_epoch as number) > epochSeconds(now)

const fieldOrder = [
  ...(['id', 'timestamp', 'action', 'actor', 'resource', 'result', 'changes'] as const),
  ...(['request_id', 'ip', 'user_agent', 'hash', 'sealed'] as const),
]

/** The event of a row. `inOrder` drops the expiry, which is not part of the event. */
export const toEvent = (row: Row): AuditEvent =>
  inOrder(fieldOrder, { ...fromRow<AuditEvent>(row), sealed: sealedOf(row) })

/** The block of an event's row; null before it is sealed. */
export const sealedOf = (row: Row): number | null => (row.sealed as number | undefined) ?? null
