/** Exporting an org's trail in pages, oldest first: events, the block that holds them, and its checkpoint. */
import type { AuditEvent } from '../audit/event.ts'
import { eventKey, eventPrefix, eventsFrom, isKept, sealedOf, toEvent } from '../audit/event-rows.ts'
import { invalidCursor } from '../problem.ts'
import { queryPage } from '../table/query.ts'
import { getRow, getRows } from '../table/read.ts'
import { orgPartition } from '../table/rows.ts'
import { type Block, blockKey, readBlocks, readHead, toBlock } from './blocks.ts'
import type { Checkpoint } from './checkpoint.ts'
import { checkpointsFrom } from './checkpoints.ts'

export type ExportLine = { event: AuditEvent } | { block: Block } | { checkpoint: Checkpoint }

export interface ExportPage {
  /** Inclusive. */
  from?: string | undefined
  /** Exclusive. */
  to?: string | undefined
  after: string | undefined
  now: Date
  /** Bytes of a line as it is served. */
  sizeOf(line: ExportLine): number
  maxBytes: number
}

/** Where a page ends. `exported`: the last block in the export. */
type Position =
  | { phase: 'blocks'; block: number; exported: number }
  /** Only events without a block are left. Events sealed since, in later blocks, count as such. */
  | { phase: 'unsealed'; block: number; after: string | undefined }

const toText = (position: Position): string =>
  position.phase === 'blocks'
    ? `blocks ${position.block} ${position.exported}`
    : `unsealed ${position.block} ${position.after ?? ''}`

function toPosition(text: string): Position {
  const [, phase, block, rest = ''] = /^(blocks|unsealed) (0|[1-9]\d{0,11}) ((?:EVENT#aud_)?\w*)$/.exec(text) ?? []
  if (phase === 'blocks' && /^\d+$/.test(rest)) return { phase, block: Number(block), exported: Number(rest) }
  if (phase !== 'unsealed' || /^\d+$/.test(rest)) throw invalidCursor()
  return { phase, block: Number(block), after: rest || undefined }
}

/** One page of the trail. A block, its events and its checkpoint are on the same page. */
export async function exportTrail(
  orgId: string,
  page: ExportPage,
): Promise<{ lines: ExportLine[]; next: string | undefined }> {
  const room = new Room(page)
  let position: Position = page.after
    ? toPosition(page.after)
    : { phase: 'blocks', block: await blockBefore(orgId, page.from), exported: 0 }
  if (position.phase === 'blocks') position = await addBlocks(orgId, position, page, room)
  const next = position.phase === 'blocks' ? position : await addUnsealed(orgId, position, page, room)
  return { lines: room.lines, next: next && toText(next) }
}

/** The lines of a page. The first group always fits: the sealer bounds a block. */
class Room {
  readonly lines: ExportLine[] = []
  #left: number
  readonly #sizeOf: ExportPage['sizeOf']
  constructor({ maxBytes, sizeOf }: ExportPage) {
    this.#left = maxBytes
    this.#sizeOf = sizeOf
  }

  /** Adds a line for which `maxBytes` leaves room. */
  addSmall(line: ExportLine): void {
    this.lines.push(line)
  }

  /** Adds lines that must stay together; false, and none, when they do not fit. */
  add(group: readonly ExportLine[]): boolean {
    const bytes = group.reduce((sum, line) => sum + this.#sizeOf(line), 0)
    if (this.lines.length > 0 && bytes > this.#left) return false
    this.#left -= bytes
    this.lines.push(...group)
    return true
  }
}

const blocksPerRead = 50
/** Blocks that one page reads, so that a narrow range of a long chain answers in time. */
const maxBlocksPerPage = 500

async function addBlocks(
  orgId: string,
  start: Position & { phase: 'blocks' },
  page: ExportPage,
  room: Room,
): Promise<Position> {
  // The head first: the sealer may be between a later block and the numbers of its events. It counts as unsealed.
  const end = (await readHead(orgId))?.number ?? 0
  let { block: position, exported } = start
  for (let seen = 0; seen < maxBlocksPerPage; seen += blocksPerRead) {
    const signed = await checkpointsFrom(orgId, position + 1, blocksPerRead, page.now)
    const read = await readBlocks(orgId, { after: position, limit: blocksPerRead, now: page.now })
    for (const { block } of read.blocks.filter(({ block }) => block.number <= end)) {
      const lines = await linesOf(orgId, block, signed, page)
      if (!room.add(lines)) return { phase: 'blocks', block: position, exported }
      position = block.number
      if (lines.length > 0) exported = position
    }
    if (!read.more || position >= end) {
      await addLaterCheckpoint(orgId, { exported, end }, page, room)
      return { phase: 'unsealed', block: position, after: undefined }
    }
  }
  return { phase: 'blocks', block: position, exported }
}

/** The events of a block in the range, the block, and its checkpoint if it is signed. */
async function linesOf(
  orgId: string,
  block: Block,
  signed: readonly Checkpoint[],
  page: ExportPage,
): Promise<ExportLine[]> {
  const events = await eventsOf(orgId, block, page)
  if (events.length === 0) return []
  const checkpoints = signed.filter((checkpoint) => checkpoint.block === block.number)
  return [...events.map((event) => ({ event })), { block }, ...checkpoints.map((checkpoint) => ({ checkpoint }))]
}

/** A range can end before the checkpoint that vouches for its last block. */
async function addLaterCheckpoint(
  orgId: string,
  { exported, end }: { exported: number; end: number },
  { now }: ExportPage,
  room: Room,
): Promise<void> {
  if (exported === 0) return
  const [checkpoint] = await checkpointsFrom(orgId, exported, 1, now)
  // A block that was sealed since is not in this export.
  if (checkpoint && checkpoint.block > exported && checkpoint.block <= end) room.addSmall({ checkpoint })
}

/** The events of a block that are in the range, by time. */
async function eventsOf(orgId: string, { events }: Block, { from, to, now }: ExportPage): Promise<AuditEvent[]> {
  const keys = events
    .map(({ id }) => eventKey(orgId, id))
    .filter(({ sk }) => (!from || sk > eventsFrom(from)) && (!to || sk < eventsFrom(to)))
  const rows = (await getRows(keys)).filter((row) => isKept(row, now))
  return rows.map(toEvent).sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** The last block that was sealed before a time: events at or after it are in later blocks. 0: none. */
async function blockBefore(orgId: string, from: string | undefined): Promise<number> {
  if (from === undefined) return 0
  let low = 0
  let high = (await readHead(orgId))?.number ?? 0
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    const row = await getRow(blockKey(orgId, middle))
    // A block that has expired is older than all that are kept.
    if (!row || toBlock(orgId, row).block.sealed_at < from) low = middle
    else high = middle - 1
  }
  return low
}

const rowsPerRead = 500

async function addUnsealed(
  orgId: string,
  start: Position & { phase: 'unsealed' },
  { from, to, now }: ExportPage,
  room: Room,
): Promise<Position | undefined> {
  let { after } = start
  for (;;) {
    const { rows, next } = await queryPage({
      partition: orgPartition(orgId),
      prefix: eventPrefix,
      ...(from ? { from: eventsFrom(from) } : {}),
      ...(to ? { to: eventsFrom(to) } : {}),
      limit: rowsPerRead,
      after,
    })
    for (const row of rows) {
      const isOpen = (sealedOf(row) ?? Infinity) > start.block && isKept(row, now)
      if (isOpen && !room.add([{ event: { ...toEvent(row), sealed: null } }])) return { ...start, after }
      after = row.sk
    }
    if (next === undefined) return undefined
  }
}
