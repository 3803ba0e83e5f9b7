/** Verifying the audit chain of an org. */
import { type Page, queryPage } from '../table/query.ts'
import { getRow } from '../table/read.ts'
import { orgPartition } from '../table/rows.ts'
import { type AuditEvent, genesisHash, hashEvent } from './event.ts'
import { epochSeconds, eventPrefix, isKept, toEvent } from './event-rows.ts'
import { type Head, readHead } from './head.ts'

/** The minimum retention an org can set. A younger event cannot have expired, even after a change of the retention. */
const minRetentionDays = 30
const secondsPerDay = 86_400

export interface Verification {
  valid: boolean
  events_checked: number
  from_seq: number | null
  to_seq: number | null
  head: { seq: number; hash: string }
  first_invalid_seq: number | null
}

/**
 * Checks one page of a chain, oldest first: every hash, every link and no gap. At the end of the chain, checks that it ends
 * at the head. `after` is the sort key of the last event checked; this reads that event again.
 */
export async function verifyEvents(
  orgId: string,
  page: { limit: number; after: string | undefined; now: Date },
): Promise<Verification & { next: string | undefined }> {
  // Read the head before the events: they then include all events up to it, and perhaps later ones.
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
 * Reads the head again, because a page has later events. An event and its head do not become visible in the same
 * instant. So this retries a head that is still behind.
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
    // An expired event no longer belongs to the chain, even if DynamoDB has not deleted it yet.
    before: last && isKept(last, page.now) ? toEvent(last) : undefined,
  }
}

/**
 * The event that must precede the first event of a verification. A chain younger than the minimum retention must begin at
 * 1. An older one can begin later, since events expire; its first event's `prev_hash` cannot be checked.
 */
function expectedStart(first: AuditEvent | undefined, head: Head, now: Date): Pick<AuditEvent, 'seq' | 'hash'> {
  const mayHaveExpired =
    head.startedAt !== undefined && now.getTime() - Date.parse(head.startedAt) > minRetentionDays * secondsPerDay * 1000
  if (first && first.seq > 1 && mayHaveExpired) return { seq: first.seq - 1, hash: first.prev_hash }
  return { seq: 0, hash: genesisHash }
}
