/**
 * Appending to an org's audit chain. A slow clock gets the time of the previous event, so timestamps never decrease. Expiry
 * never decreases either, so events expire from the start of the chain and leave no gap.
 */
import { newId } from '../ids.ts'
import { tableName } from '../table/client.ts'
import { orgPartition, type Row } from '../table/rows.ts'
import type { Write } from '../table/writes.ts'
import { type AuditDraft, type AuditEvent, hashedEvent } from './event.ts'
import { eventSortKey } from './event-rows.ts'
import { type Head, headKey } from './head.ts'
import type { RequestContext } from './request-context.ts'

const secondsPerDay = 86_400

/** The event after `head`, and the writes that append it. They fail together when the head has moved since. */
export function append(head: Head, draft: AuditDraft, context: RequestContext): { event: AuditEvent; writes: Write[] } {
  const now = context.now.toISOString()
  const event = hashedEvent({
    id: newId('aud'),
    seq: head.seq + 1,
    timestamp: now > head.timestamp ? now : head.timestamp,
    ...draft,
    actor: context.actor,
    request_id: context.requestId,
    ...(context.ip ? { ip: context.ip } : {}),
    ...(context.userAgent ? { user_agent: context.userAgent } : {}),
    prev_hash: head.hash,
  })
  const ownExpiry = Math.floor(Date.parse(event.timestamp) / 1000) + head.retentionDays * secondsPerDay
  const expiryEpoch = Math.max(head.expiryEpoch, ownExpiry)
  const eventRow: Row = {
    pk: orgPartition(context.orgId),
    sk: eventSortKey(event),
    ...event,
    expires_at_epoch: expiryEpoch,
  }
  return {
    event,
    writes: [
      { item: { Put: { TableName: tableName(), Item: eventRow } } },
      moveHead(head, event, expiryEpoch, context.orgId),
    ],
  }
}

function moveHead(head: Head, event: AuditEvent, expiryEpoch: number, orgId: string): Write {
  return {
    item: {
      Update: {
        TableName: tableName(),
        Key: headKey(orgId),
        UpdateExpression:
          'SET seq = :next, #hash = :hash, #timestamp = :at, expiry_epoch = :expiry, retention_days = :retention, started_at = if_not_exists(started_at, :at)',
        ConditionExpression: head.seq === 0 ? 'attribute_not_exists(seq)' : 'seq = :seq',
        ExpressionAttributeNames: { '#hash': 'hash', '#timestamp': 'timestamp' },
        ExpressionAttributeValues: {
          ':next': event.seq,
          ':hash': event.hash,
          ':at': event.timestamp,
          ':expiry': expiryEpoch,
          ':retention': head.retentionDays,
          ...(head.seq === 0 ? {} : { ':seq': head.seq }),
        },
      },
    },
  }
}
