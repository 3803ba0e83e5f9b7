/**
 * The audit trail of an org in the table: the head row that moves with every event, the events, and reading them back.
 * Timestamps never go back along a chain (a slow clock is lifted to its predecessor's), so that the sort key, which
 * starts with the time, orders as `seq` does and a time range is a key range. Expiry never goes back either, so that
 * what has expired is always the beginning of the chain and never a hole in it.
 */

import { newId } from '../ids.ts'
import { inOrder } from '../in-order.ts'
import { tableName } from '../table/client.ts'
import { equalsFilter, type Page, queryPage } from '../table/query.ts'
import { getRow } from '../table/read.ts'
import { orgPartition, type Row, type RowKey } from '../table/rows.ts'
import type { Write } from '../table/writes.ts'
import { type Actor, type AuditDraft, type AuditEvent, genesisHash, hashEvent, sealEvent } from './event.ts'

const defaultRetentionDays = 365
/** The shortest retention an org can set; what is younger cannot have expired, whatever was set since. */
const minRetentionDays = 30
const secondsPerDay = 86_400
const eventPrefix = 'AUDIT#'

const headKey = (orgId: string): RowKey => ({ pk: orgPartition(orgId), sk: 'AUDITHEAD' })
const eventSortKey = (event: Pick<AuditEvent, 'timestamp' | 'seq'>): string =>
  `${eventPrefix}${event.timestamp}#${String(event.seq).padStart(12, '0')}`

/** Where the chain of an org ends. `seq` 0 stands for a chain without events. */
export interface Head {
  seq: number
  hash: string
  timestamp: string
  /** When the first event was written; absent before it. */
  startedAt?: string
  /** The latest expiry given so far, in epoch seconds. */
  expiryEpoch: number
  retentionDays: number
}

export async function readHead(orgId: string): Promise<Head> {
  const row = await getRow(headKey(orgId))
  if (!row) return { seq: 0, hash: genesisHash, timestamp: '', expiryEpoch: 0, retentionDays: defaultRetentionDays }
  return {
    seq: row.seq as number,
    hash: row.hash as string,
    timestamp: row.timestamp as string,
    startedAt: row.started_at as string,
    expiryEpoch: row.expiry_epoch as number,
    retentionDays: (row.retention_days as number | undefined) ?? defaultRetentionDays,
  }
}

/** Who acts, when and in which request: recorded with every change. */
export interface RequestContext {
  orgId: string
  actor: Actor
  now: Date
  requestId: string
  ip?: string | undefined
  userAgent?: string | undefined
}

/** The writes that append an event behind `head`, and the event. They fail together when the head has moved since. */
export function append(head: Head, draft: AuditDraft, context: RequestContext): { event: AuditEvent; writes: Write[] } {
  const now = context.now.toISOString()
  const event = sealEvent({
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

export interface EventFilter {
  action?: string | undefined
  actor_id?: string | undefined
  resource_id?: string | undefined
  /** Inclusive. */
  from?: string | undefined
  /** Exclusive. */
  to?: string | undefined
}

/** Events of an org, newest first; what has expired is not shown, whether or not it is deleted yet. */
export async function listEvents(
  orgId: string,
  filter: EventFilter,
  page: { limit: number; after: string | undefined; now: Date },
): Promise<{ data: AuditEvent[]; next: string | undefined }> {
  const { rows, next } = await queryPage({
    partition: orgPartition(orgId),
    prefix: eventPrefix,
    // Sort keys of an instant are longer than the instant, so that `from` is inclusive and `to` exclusive.
    ...(filter.from ? { from: eventPrefix + filter.from } : {}),
    ...(filter.to ? { to: eventPrefix + filter.to } : {}),
    newestFirst: true,
    limit: page.limit,
    after: page.after,
    filter: equalsFilter({ action: filter.action, 'actor.id': filter.actor_id, 'resource.id': filter.resource_id }),
  })
  const kept = rows.filter((row) => isKept(row, page.now))
  return { data: kept.map(toEvent), next: kept.length < rows.length ? undefined : next }
}

export interface Verification {
  valid: boolean
  events_checked: number
  from_seq: number | null
  to_seq: number | null
  head: { seq: number; hash: string }
  first_invalid_seq: number | null
}

/**
 * Checks one page of a chain, oldest first: every hash, every link, no gap, and at the end of the chain that it ends
 * where the head says. `after` is the sort key of the last event checked before; that event is read again.
 */
export async function verifyEvents(
  orgId: string,
  page: { limit: number; after: string | undefined; now: Date },
): Promise<Verification & { next: string | undefined }> {
  // Read before the events, so that all it stands for is among them; what came since is beyond it.
  const known = await readHead(orgId)
  const { before, rows, next } = await readForVerification(orgId, page)
  const events = rows.map(toEvent)
  const lastSeq = events.at(-1)?.seq ?? 0
  const head = lastSeq > known.seq ? await readHeadBehind(orgId, lastSeq) : known
  let previous = before ?? expectedStart(events[0], head, page.now)
  let firstInvalid: number | null = null
  for (const event of events) {
    const { hash, ...content } = event
    const linked =
      event.seq === previous.seq + 1 &&
      event.seq <= head.seq &&
      event.prev_hash === previous.hash &&
      hashEvent(content) === hash
    if (!linked) {
      firstInvalid = previous.seq + 1
      break
    }
    previous = event
  }
  const nothingIsKept = head.expiryEpoch <= epochSeconds(page.now)
  const reachesHead = previous.seq > known.seq || (previous.seq === known.seq && previous.hash === known.hash)
  if (firstInvalid === null && next === undefined && !reachesHead && !nothingIsKept) {
    firstInvalid = Math.min(previous.seq + 1, Math.max(head.seq, 1))
  }
  return {
    valid: firstInvalid === null,
    events_checked: events.length,
    from_seq: events[0]?.seq ?? null,
    to_seq: events.at(-1)?.seq ?? null,
    head: { seq: head.seq, hash: head.hash },
    first_invalid_seq: firstInvalid,
    next: firstInvalid === null ? next : undefined,
  }
}

/**
 * The head, read again because there are events beyond it. An event and its head become visible together, but not in the
 * very same instant: a head that still seems to be behind is read once more before it is believed.
 */
async function readHeadBehind(orgId: string, lastSeq: number): Promise<Head> {
  for (let attempt = 0; ; attempt++) {
    const head = await readHead(orgId)
    if (head.seq >= lastSeq || attempt === 3) return head
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function readForVerification(
  orgId: string,
  page: { limit: number; after: string | undefined; now: Date },
): Promise<Page & { before: Pick<AuditEvent, 'seq' | 'hash'> | undefined }> {
  const partition = orgPartition(orgId)
  const [last, found] = await Promise.all([
    page.after ? getRow({ pk: partition, sk: page.after }) : undefined,
    queryPage({ partition, prefix: eventPrefix, limit: page.limit, after: page.after }),
  ])
  return {
    rows: found.rows.filter((row) => isKept(row, page.now)),
    next: found.next,
    // What has expired is not part of the chain any more, whether or not it is deleted yet.
    before: last && isKept(last, page.now) ? toEvent(last) : undefined,
  }
}

/**
 * What the first event of a verification must follow. A chain younger than the shortest retention must begin at 1; an
 * older one begins wherever expiry has come to, and its first event is taken at its word.
 */
function expectedStart(first: AuditEvent | undefined, head: Head, now: Date): Pick<AuditEvent, 'seq' | 'hash'> {
  const mayHaveExpired =
    head.startedAt !== undefined && now.getTime() - Date.parse(head.startedAt) > minRetentionDays * secondsPerDay * 1000
  if (first && first.seq > 1 && mayHaveExpired) return { seq: first.seq - 1, hash: first.prev_hash }
  return { seq: 0, hash: genesisHash }
}

const epochSeconds = (date: Date): number => Math.floor(date.getTime() / 1000)

/** Time to live deletes late: what has expired is passed over until it is gone. */
const isKept = (row: Row, now: Date): boolean => (row.expires_at_epoch as number) > epochSeconds(now)

const fieldOrder = [
  ...(['id', 'seq', 'timestamp', 'action', 'actor', 'resource', 'result', 'changes'] as const),
  ...(['request_id', 'ip', 'user_agent', 'prev_hash', 'hash'] as const),
]

function toEvent({ pk: _pk, sk: _sk, expires_at_epoch: _expiry, ...event }: Row): AuditEvent {
  return inOrder(fieldOrder, event as AuditEvent)
}
