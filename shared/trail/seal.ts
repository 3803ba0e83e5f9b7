/**
 * The sealer: appends an org's new events to its chain of blocks. Any number of sealers can run at once, twice on the same
 * events, and die at any point. Three rules keep each event in exactly one block:
 * - A block is stored only if its number is free.
 * - All events of a block get its number before the head moves to it, and the next block is stored only after that.
 * - A block takes events whose rows, read after the head, have no number.
 */
import { eventIdOf, eventKey, eventPrefix, sealedOf } from '../audit/event-rows.ts'
import { readOrgSettings } from '../org-settings/entity.ts'
import { dueTimeOf } from '../runtime/due-clock.ts'
import { queryPage } from '../table/query.ts'
import { getRows } from '../table/read.ts'
import { orgPartition, type Row } from '../table/rows.ts'
import { putRowIf, updateRowIf } from '../table/update.ts'
import {
  type Block,
  type BlockEvent,
  genesisHash,
  type Head,
  hasExpired,
  hashOfBlock,
  headKey,
  maxEventsPerBlock,
  readHead,
  readNewestBlock,
  type StoredBlock,
  toBlockRow,
} from './blocks.ts'

/** Blocks that the head names are gone before their time. Only a person can decide what to do. */
export class ChainCutError extends Error {
  override readonly name = 'ChainCutError'
}

/**
 * Seals events of an org. Ignores events that are sealed, or not stored. Returns how many this call sealed.
 *
 * @throws ChainCutError when blocks are missing at the end of the chain; nothing is sealed then
 */
export async function sealEvents(orgId: string, eventIds: readonly string[], now: Date): Promise<number> {
  const ids = [...new Set(eventIds)].sort()
  let sealed = 0
  for (let start = 0; start < ids.length; start += maxEventsPerBlock) {
    sealed += await sealChunk(orgId, ids.slice(start, start + maxEventsPerBlock), now)
  }
  return sealed
}

/** Seals all unsealed events of an org, from the table. For holes in the stream. */
export async function sealOrg(orgId: string, now: Date): Promise<number> {
  // A sealer can die after the last event has its number and before the head moves.
  await settledHead(orgId, now)
  let sealed = 0
  let after: string | undefined
  do {
    const { rows, next } = await queryPage({
      partition: orgPartition(orgId),
      prefix: eventPrefix,
      limit: maxEventsPerBlock,
      after,
    })
    const open = rows.filter((row) => sealedOf(row) === null)
    sealed += await sealEvents(orgId, open.map(eventIdOf), now)
    after = next
  } while (after)
  return sealed
}

/** Seals at most one block's number of events. Repeats when another sealer took the number, or when one block is too small. */
async function sealChunk(orgId: string, eventIds: readonly string[], now: Date): Promise<number> {
  for (let sealed = 0; ; ) {
    const head = await settledHead(orgId, now)
    const rows = await getRows(eventIds.map((id) => eventKey(orgId, id)))
    const open = rows.filter((row) => sealedOf(row) === null)
    const fitting = firstBytes(open)
    if (fitting.length === 0) return sealed
    const stored = await nextBlock(orgId, head, fitting, now)
    if (!(await putRowIf(toBlockRow(stored), { ConditionExpression: 'attribute_not_exists(pk)' }))) continue
    await finish(stored)
    sealed += fitting.length
    if (fitting.length === open.length) return sealed
  }
}

/** A page of an export holds a block with all its events, so their bytes are bounded. A row has at most 400 KB. */
const maxBytesPerBlock = 2_000_000

function firstBytes(rows: readonly Row[]): readonly Row[] {
  let bytes = 0
  return rows.filter((row, index) => {
    bytes += Buffer.byteLength(JSON.stringify(row))
    return index === 0 || bytes <= maxBytesPerBlock
  })
}

/** The head, after the block that a sealer left unfinished is finished. */
async function settledHead(orgId: string, now: Date): Promise<Head | undefined> {
  const head = await readHead(orgId)
  const newest = await readNewestBlock(orgId)
  if (newest && newest.block.number > (head?.number ?? 0)) {
    await finish(newest)
    return settledHead(orgId, now)
  }
  if (head && (newest?.block.number ?? 0) < head.number && !hasExpired(head.expiryEpoch, now)) {
    throw new ChainCutError(`the chain of ${orgId} ends before block ${head.number}`)
  }
  return head
}

async function nextBlock(orgId: string, head: Head | undefined, rows: readonly Row[], now: Date): Promise<StoredBlock> {
  const { value } = await readOrgSettings(orgId)
  const events = rows
    .map((row): BlockEvent => ({ id: eventIdOf(row), hash: row.hash as string }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  const timestamps = rows.map(({ timestamp }) => timestamp as string)
  // Never before its events, and never before the block before: clocks differ.
  const sealed_at = maxOf([now.toISOString(), head?.sealed_at ?? '', ...timestamps])
  const content = {
    org_id: orgId,
    number: (head?.number ?? 0) + 1,
    previous_hash: head?.hash ?? genesisHash,
    events,
    sealed_at,
  }
  const block: Block = { ...content, hash: '' }
  block.hash = hashOfBlock(block)
  const ownExpiry = Math.floor(Date.parse(maxOf(timestamps)) / 1000) + value.audit_retention_days * secondsPerDay
  // The chain expires from its start: a shorter retention does not drop a block before the ones it follows.
  const previousExpiryEpoch = head?.expiryEpoch ?? 0
  return { block, expiryEpoch: Math.max(ownExpiry, previousExpiryEpoch), previousExpiryEpoch }
}

const secondsPerDay = 86_400

const maxOf = (texts: readonly string[]): string => texts.reduce((max, text) => (text > max ? text : max))

/** Gives the events of a stored block its number, then moves the head. Harmless when repeated. */
async function finish({ block, expiryEpoch, previousExpiryEpoch }: StoredBlock): Promise<void> {
  const { org_id: orgId, number, hash, sealed_at } = block
  // After a gap that outlasts all earlier blocks, no checkpoint vouches for this one: it needs its own.
  const startsAnew = previousExpiryEpoch > 0 && hasExpired(previousExpiryEpoch, new Date(sealed_at))
  await Promise.all(block.events.map(({ id }) => numberEvent(orgId, id, number, expiryEpoch)))
  await updateRowIf(headKey(orgId), {
    UpdateExpression: `SET #number = :number, #hash = :hash, sealed_at = :at, block_expiry_epoch = :expiry, unsigned_since = if_not_exists(unsigned_since, :since)${startsAnew ? ' REMOVE signed_block' : ''}`,
    ConditionExpression: 'attribute_not_exists(pk) OR #number < :number',
    ExpressionAttributeNames: { '#number': 'number', '#hash': 'hash' },
    ExpressionAttributeValues: {
      ...{ ':number': number, ':hash': hash, ':at': sealed_at, ':expiry': expiryEpoch },
      ':since': dueTimeOf(new Date(sealed_at)).toISOString(),
    },
  })
}

const numberEvent = (orgId: string, id: string, number: number, expiryEpoch: number): Promise<boolean> =>
  updateRowIf(eventKey(orgId, id), {
    UpdateExpression: 'SET sealed = :number, expires_at_epoch = :expiry',
    // An event that is gone stays gone: verification finds it missing.
    ConditionExpression: 'attribute_exists(pk) AND attribute_not_exists(sealed)',
    ExpressionAttributeValues: { ':number': number, ':expiry': expiryEpoch },
  })
