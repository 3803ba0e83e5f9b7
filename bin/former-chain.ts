/**
 * Events of earlier versions: each held the hash of the one before, and a head row ended the chain. They are verified, and
 * moved to rows of this version, where the sealer takes them. Each step is one transaction, and names how far it came.
 */
import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb'
import { type EventContent, hashOf } from '../shared/audit/event.ts'
import { eventKey, isKept } from '../shared/audit/event-rows.ts'
import { table, tableName } from '../shared/table/client.ts'
import { queryPage } from '../shared/table/query.ts'
import { getRow } from '../shared/table/read.ts'
import { fromRow, orgPartition, type Row } from '../shared/table/rows.ts'
import { insert } from '../shared/table/writes.ts'

/** The former chain does not add up. Moving it would hide that. */
export class FormerChainError extends Error {
  override readonly name = 'FormerChainError'
}

export const formerPrefix = 'AUDIT#'

type FormerEvent = EventContent & { seq: number; prev_hash: string; hash: string }

/** The end of a former chain, and the last event that was moved. */
interface FormerHead {
  seq: number
  hash: string
  moved_seq?: number
  moved_hash?: string
}

const headKey = (orgId: string) => ({ pk: orgPartition(orgId), sk: 'AUDITHEAD' })

/** Two writes an event and one for the head: below DynamoDB's 100 of a transaction, and its 4 MB. */
const eventsPerStep = 40

/**
 * Moves the former events of an org. Events that have expired are left to DynamoDB.
 *
 * @returns how many were moved
 * @throws FormerChainError unless `acceptsBroken`
 */
export async function carryOver(orgId: string, acceptsBroken: boolean, now: Date): Promise<number> {
  let moved = 0
  let after: string | undefined
  let previous = await lastMoved(orgId)
  for (;;) {
    const { rows, next } = await queryPage({
      partition: orgPartition(orgId),
      prefix: formerPrefix,
      limit: eventsPerStep,
      after,
    })
    const events = rows.map((row) => ({ row, event: toFormerEvent(row) }))
    for (const { event } of events) {
      if (!acceptsBroken) requireLinked(event, previous)
      previous = event
    }
    const kept = events.filter(({ row }) => isKept(row, now))
    if (kept.length > 0) await move(orgId, kept, previous)
    moved += kept.length
    after = next
    if (after === undefined) break
  }
  if (moved > 0 && !acceptsBroken) await requireEnd(orgId, previous)
  return moved
}

type Link = Pick<FormerEvent, 'seq' | 'hash'>

async function readFormerHead(orgId: string): Promise<FormerHead | undefined> {
  return fromRow<FormerHead>(await getRow(headKey(orgId)))
}

async function lastMoved(orgId: string): Promise<Link | undefined> {
  const { moved_seq, moved_hash } = (await readFormerHead(orgId)) ?? {}
  return moved_seq === undefined || moved_hash === undefined ? undefined : { seq: moved_seq, hash: moved_hash }
}

function toFormerEvent(row: Row): FormerEvent {
  const { expires_at_epoch: _expiry, ...event } = fromRow<FormerEvent & { expires_at_epoch: number }>(row)
  return event
}

/** The first event of a chain can be any: older ones expire. */
function requireLinked({ hash, ...content }: FormerEvent, previous: Link | undefined): void {
  const isNext = !previous || (content.seq === previous.seq + 1 && content.prev_hash === previous.hash)
  if (isNext && hashOf(content) === hash) return
  throw new FormerChainError(
    `the former chain is broken at event ${content.seq} (${content.id}). Nothing after it was carried over. Read it, then repeat with --accept-broken.`,
  )
}

async function requireEnd(orgId: string, last: Link | undefined): Promise<void> {
  const head = await readFormerHead(orgId)
  if (!head || head.seq === last?.seq) return
  throw new FormerChainError(`the former chain ends at event ${last?.seq}, before its head ${head.seq}.`)
}

async function move(
  orgId: string,
  events: readonly { row: Row; event: FormerEvent }[],
  last: Link | undefined,
): Promise<void> {
  const TableName = tableName()
  const writes = events.flatMap(({ row, event: { seq: _seq, prev_hash: _prev, hash: _hash, ...content } }) => [
    insert({ ...eventKey(orgId, content.id), ...content, hash: hashOf(content) }).item,
    {
      Delete: {
        TableName,
        Key: { pk: row.pk, sk: row.sk },
        // Two runs at once: the second one finds the row gone, and stops.
        ConditionExpression: 'attribute_exists(pk)',
      },
    },
  ])
  const head = {
    Update: {
      TableName,
      Key: headKey(orgId),
      UpdateExpression: 'SET moved_seq = :seq, moved_hash = :hash',
      ExpressionAttributeValues: { ':seq': last?.seq, ':hash': last?.hash },
    },
  }
  await table().send(new TransactWriteCommand({ TransactItems: [...writes, head] }))
}
