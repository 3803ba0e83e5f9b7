/**
 * Verifying an org's trail in pages. First the blocks: number, link, hash, signature, and each event. Then the rows of
 * events: each is in the block that it names, or so young that the sealer may not have reached it.
 */
import { hashOf } from '../audit/event.ts'
import { eventIdOf, eventKey, eventPrefix, isKept, sealedOf, toEvent } from '../audit/event-rows.ts'
import { invalidCursor } from '../problem.ts'
import { queryPage } from '../table/query.ts'
import { getRow, getRows } from '../table/read.ts'
import { orgPartition, type Row } from '../table/rows.ts'
import {
  type Block,
  blockKey,
  genesisHash,
  type Head,
  hasExpired,
  hashOfBlock,
  readBlocks,
  readHead,
  readNewestBlock,
  type StoredBlock,
  toBlock,
} from './blocks.ts'
import type { Checkpoint } from './checkpoint.ts'
import { checkpointsFrom, isSignedBy } from './checkpoints.ts'
import type { TrailFault } from './fault.ts'
import { publicKeys } from './public-keys.ts'

export interface Verification {
  valid: boolean
  blocks_checked: number
  events_checked: number
  from_block: number | null
  to_block: number | null
  head: { block: number; hash: string } | null
  unsealed: { count: number; oldest_at: string | null }
  first_invalid: TrailFault | null
}

/** A page: at least one block, then whole blocks until `limit` events. `after`: a position that a page returned. */
interface VerificationPage {
  limit: number
  after: string | undefined
  now: Date
}

/** The sealer takes seconds. */
const maxUnsealedMs = 5 * 60_000

/** Positions of the cursor: the last checked block, or the sort key of the last checked row of an event. */
const afterBlock = (number: number): string => `block ${number}`
function blockOf(after: string | undefined): number | undefined {
  if (after === undefined) return 0
  if (after.startsWith(eventPrefix)) return undefined
  const number = /^block ([1-9]\d{0,11})$/.exec(after)?.[1]
  if (number === undefined) throw invalidCursor()
  return Number(number)
}

export async function verifyTrail(
  orgId: string,
  page: VerificationPage,
): Promise<Verification & { next: string | undefined }> {
  // The head first: the blocks that are read after it reach it.
  const head = await readHead(orgId)
  const newest = await readNewestBlock(orgId)
  const start = blockOf(page.after)
  const blocks = start === undefined ? nothing : await verifyBlocks(orgId, start, head, page)
  const isPast = !blocks.fault && !blocks.next
  const rows = isPast ? await verifyRows(orgId, start === undefined ? page.after : undefined, page) : noRows
  const fault = blocks.fault ?? rows.fault
  return {
    valid: fault === undefined,
    ...countsOf(blocks.checked),
    head: newest && !hasExpired(newest.expiryEpoch, page.now) ? headOf(newest.block) : null,
    unsealed: rows.unsealed,
    first_invalid: fault ?? null,
    next: fault ? undefined : (blocks.next ?? rows.next),
  }
}

const headOf = ({ number, hash }: Block) => ({ block: number, hash })

const countsOf = (blocks: readonly Block[]) => ({
  blocks_checked: blocks.length,
  events_checked: blocks.reduce((sum, { events }) => sum + events.length, 0),
  from_block: blocks[0]?.number ?? null,
  to_block: blocks.at(-1)?.number ?? null,
})

interface BlocksVerdict {
  checked: readonly Block[]
  fault?: TrailFault | undefined
  next?: string | undefined
}
const nothing: BlocksVerdict = { checked: [] }

async function verifyBlocks(
  orgId: string,
  start: number,
  head: Head | undefined,
  { limit, now }: VerificationPage,
): Promise<BlocksVerdict> {
  const read = await readBlocks(orgId, { after: start, limit, now })
  const lost = start === 0 ? faultOfStart(read.blocks[0], now) : undefined
  if (lost) return { checked: [], fault: lost }
  const first = read.blocks[0]?.block
  const signed = await readSigned(orgId, first, head, now)
  let previous = await previousLink(orgId, start, first, signed)
  const checked: Block[] = []
  let events = 0
  for (const stored of read.blocks) {
    const fault = faultOfBlock(stored, previous, signed) ?? (await faultOfEvents(orgId, stored, head, now))
    if (fault) return { checked, fault }
    checked.push(stored.block)
    previous = stored.block
    events += stored.block.events.length
    if (events >= limit) break
  }
  const last = previous?.number ?? 0
  if (checked.length < read.blocks.length || read.more) return { checked, next: afterBlock(last) }
  return { checked, fault: faultOfEnd(last, signed, now) ?? (await faultOfNext(orgId, last)) }
}

/** What vouches for the blocks of a page. */
interface Signed {
  head: Head | undefined
  /** From the block before the first one of the page. */
  checkpoints: readonly Checkpoint[]
  keys: Awaited<ReturnType<typeof publicKeys>>
}

async function readSigned(orgId: string, first: Block | undefined, head: Head | undefined, now: Date): Promise<Signed> {
  const checkpoints = await checkpointsFrom(orgId, (first?.number ?? 1) - 1, maxCheckpoints, now)
  return { head, checkpoints, keys: await publicKeys() }
}

/** The block before the oldest one kept is gone too early. */
const faultOfStart = (oldest: StoredBlock | undefined, now: Date): TrailFault | undefined =>
  oldest && !hasExpired(oldest.previousExpiryEpoch, now) ? at(oldest.block.number - 1, 'missing') : undefined

const faultOfBlock = (stored: StoredBlock, previous: Link | undefined, signed: Signed): TrailFault | undefined =>
  faultOfLink(stored.block, previous) ?? faultOfHead(stored, signed.head) ?? faultOfCheckpoint(stored.block, signed)

/** Whether a checkpoint signs a block, or one after it. Those are checked with their own blocks. */
const isVouchedFor = ({ number, hash }: Link, { checkpoints, keys }: Signed): boolean =>
  checkpoints.some(
    (checkpoint) => checkpoint.block > number || (checkpoint.hash === hash && isSignedBy(checkpoint, keys)),
  )

/** A page has at most this many signed blocks: one an hour, and the first. */
const maxCheckpoints = 1000

const at = (block: number | null, reason: TrailFault['reason'], event_id: string | null = null): TrailFault => ({
  block,
  event_id,
  reason,
})

type Link = Pick<Block, 'number' | 'hash'>

/**
 * The block before the first one of a page. Block 1 begins the chain. Where older blocks have expired, a checkpoint must
 * vouch for the first one kept.
 */
async function previousLink(
  orgId: string,
  start: number,
  first: Block | undefined,
  signed: Signed,
): Promise<Link | undefined> {
  if (start > 0) {
    const row = await getRow(blockKey(orgId, start))
    if (row) return toBlock(orgId, row).block
  }
  if (!first || first.number === 1) return { number: 0, hash: genesisHash }
  const before = { number: first.number - 1, hash: first.previous_hash }
  return isVouchedFor(before, signed) ? before : undefined
}

function faultOfLink(block: Block, previous: Link | undefined): TrailFault | undefined {
  if (!previous) return at(block.number, 'broken_link')
  if (block.number !== previous.number + 1) return at(previous.number + 1, 'missing')
  if (block.previous_hash !== previous.hash) return at(block.number, 'broken_link')
  return hashOfBlock(block) === block.hash ? undefined : at(block.number, 'changed')
}

/** The head repeats fields of its block. */
function faultOfHead({ block, expiryEpoch }: StoredBlock, head: Head | undefined): TrailFault | undefined {
  if (head?.number !== block.number) return undefined
  const isSame = head.hash === block.hash && head.sealed_at === block.sealed_at && head.expiryEpoch === expiryEpoch
  return isSame ? undefined : at(block.number, 'changed')
}

function faultOfCheckpoint({ number, hash }: Block, { checkpoints, keys, head }: Signed): TrailFault | undefined {
  const checkpoint = checkpoints.find(({ block }) => block === number)
  if (!checkpoint) return head?.signedBlock === number ? at(number, 'missing') : undefined
  if (checkpoint.hash === hash && isSignedBy(checkpoint, keys)) return undefined
  return at(number, 'changed')
}

async function faultOfEvents(
  orgId: string,
  { block, expiryEpoch }: StoredBlock,
  head: Head | undefined,
  now: Date,
): Promise<TrailFault | undefined> {
  const rows = await getRows(block.events.map(({ id }) => eventKey(orgId, id)))
  const byId = new Map(rows.filter((row) => isKept(row, now)).map((row) => [eventIdOf(row), row]))
  for (const { id, hash } of block.events) {
    const row = byId.get(id)
    if (!row) return at(block.number, 'missing', id)
    const sealed = sealedOf(row)
    if (row.hash !== hash || isChanged(row)) return at(block.number, 'changed', id)
    if (sealed !== null && sealed !== block.number) return at(block.number, 'duplicate', id)
    if (sealed !== null && row.expires_at_epoch !== expiryEpoch) return at(block.number, 'changed', id)
    // The sealer numbers the events of a block before it moves the head.
    if (sealed === null && head && block.number <= head.number) return at(block.number, 'changed', id)
  }
  return undefined
}

/** Whether an event is not the one of its key and its hash. */
function isChanged(row: Row): boolean {
  const { hash, sealed: _sealed, ...content } = toEvent(row)
  return content.id !== eventIdOf(row) || hashOf(content) !== hash
}

/** A block is stored only after the head has moved to the one before. */
async function faultOfNext(orgId: string, last: number): Promise<TrailFault | undefined> {
  const head = await readHead(orgId)
  return last > (head?.number ?? 0) + 1 ? at(last, 'changed') : undefined
}

/** A chain that ends before the head or before a checkpoint has lost its end. */
function faultOfEnd(last: number, { head, checkpoints }: Signed, now: Date): TrailFault | undefined {
  const signed = checkpoints.at(-1)?.block ?? 0
  const known = head && !hasExpired(head.expiryEpoch, now) ? head.number : 0
  const end = Math.max(signed > (head?.number ?? 0) ? signed : 0, known)
  return last < end ? at(last + 1, 'missing') : undefined
}

interface RowsVerdict {
  unsealed: Verification['unsealed']
  fault?: TrailFault | undefined
  next?: string | undefined
}
const noRows: RowsVerdict = { unsealed: { count: 0, oldest_at: null } }

/** Rows of events that one page reads. */
const rowsPerPage = 1000

async function verifyRows(orgId: string, after: string | undefined, { now }: VerificationPage): Promise<RowsVerdict> {
  const { rows, next } = await queryPage({
    partition: orgPartition(orgId),
    prefix: eventPrefix,
    limit: rowsPerPage,
    after,
  })
  const kept = rows.filter((row) => isKept(row, now))
  const open = kept.filter((row) => sealedOf(row) === null)
  const unsealed = { count: open.length, oldest_at: (open[0]?.timestamp as string | undefined) ?? null }
  const old = open.find((row) => now.getTime() - Date.parse(String(row.timestamp)) > maxUnsealedMs)
  const changed = open.find(isChanged)
  const fault =
    (await faultOfMembership(orgId, kept, now)) ??
    (changed && at(null, 'changed', eventIdOf(changed))) ??
    (old && at(null, 'unsealed', eventIdOf(old)))
  return { unsealed, fault, next }
}

/** An event whose block does not hold it is in no block. */
async function faultOfMembership(orgId: string, rows: readonly Row[], now: Date): Promise<TrailFault | undefined> {
  const numbers = [...new Set(rows.map(sealedOf).filter((number) => number !== null))]
  const blocks = await getRows(numbers.map((number) => blockKey(orgId, number)))
  const members = new Map(
    // A block expires with its events, never before.
    blocks
      .filter((row) => isKept(row, now))
      .map((row) => {
        const { block } = toBlock(orgId, row)
        return [block.number, new Set(block.events.map(({ id }) => id))]
      }),
  )
  for (const row of rows) {
    const number = sealedOf(row)
    if (number !== null && !members.get(number)?.has(eventIdOf(row))) return at(null, 'unsealed', eventIdOf(row))
  }
  return undefined
}
