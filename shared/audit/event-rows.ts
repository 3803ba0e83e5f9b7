/** The rows of audit events. */
import { inOrder } from '../in-order.ts'
import { fromRow, type Row } from '../table/rows.ts'
import type { AuditEvent } from './event.ts'

export const eventPrefix = 'AUDIT#'

/**
 * The sort key begins with the time, so a time range is a key range. Timestamps never decrease along a chain, so the
 * order of the keys is the order of `seq`.
 */
export const eventSortKey = (event: Pick<AuditEvent, 'timestamp' | 'seq'>): string =>
  `${eventPrefix}${event.timestamp}#${String(event.seq).padStart(12, '0')}`

export const epochSeconds = (date: Date): number => Math.floor(date.getTime() / 1000)

/** DynamoDB deletes expired rows late: reads skip them until then. */
export const isKept = (row: Row, now: Date): boolean => (row.expires_at_epoch as number) > epochSeconds(now)

const fieldOrder = [
  ...(['id', 'seq', 'timestamp', 'action', 'actor', 'resource', 'result', 'changes'] as const),
  ...(['request_id', 'ip', 'user_agent', 'prev_hash', 'hash'] as const),
]

/** The event of a row. `inOrder` drops the expiry, which is not part of the event. */
export const toEvent = (row: Row): AuditEvent => inOrder(fieldOrder, fromRow<AuditEvent>(row))
