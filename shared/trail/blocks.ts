/**
 * The chain of an org's audit trail: blocks of events, numbered from 1 without a gap. Each block holds the hash of the block
 * before it and the hashes of its events.
 */
import { hashOf } from '../audit/event.ts'
import { epochSeconds, isKept } from '../audit/event-rows.ts'
import { queryPage } from '../table/query.ts'
import { getRow } from '../table/read.ts'
import { fromRow, orgPartition, type Row, type RowKey } from '../table/rows.ts'

/** As many as one `BatchGetItem` reads. */
export const maxEventsPerBlock = 100

export interface BlockEvent {
  id: string
  hash: string
}

export interface Block {
  org_id: string
  number: number
  previous_hash: string
  events: BlockEvent[]
  sealed_at: string
  /** SHA-256 of the rest as RFC 8785 canonical JSON. */
  hash: string
}

/** The `previous_hash` of block 1. */
export const genesisHash = '0'.repeat(64)

export const hashOfBlock = ({ hash: _hash, ...content }: Block): string => hashOf(content)

const digits = (number: number): string => String(number).padStart(12, '0')

export const blockPrefix = 'BLOCK#'
export const blockKey = (orgId: string, number: number): RowKey => ({
  pk: orgPartition(orgId),
  sk: blockPrefix + digits(number),
})

export const checkpointPrefix = 'CHECKPOINT#'
export const checkpointKey = (orgId: string, block: number): RowKey => ({
  pk: orgPartition(orgId),
  sk: checkpointPrefix + digits(block),
})

/** A block, and when its row and those of its events expire. */
export interface StoredBlock {
  block: Block
  expiryEpoch: number
  /** When the block before it expires; 0 for block 1. Until then, that block must be there. */
  previousExpiryEpoch: number
}

/** Names its fields one by one: DynamoDB returns them in any order, and a row can hold others. */
export function toBlock(orgId: string, row: Row): StoredBlock {
  const { number, previous_hash, events, sealed_at, hash } = fromRow<Block>(row)
  const named = events.map(({ id, hash }) => ({ id, hash }))
  return {
    block: { org_id: orgId, number, previous_hash, events: named, sealed_at, hash },
    expiryEpoch: row.expires_at_epoch as number,
    previousExpiryEpoch: row.previous_expiry_epoch as number,
  }
}

export function toBlockRow({ block, expiryEpoch, previousExpiryEpoch }: StoredBlock): Row {
  const { org_id, ...stored } = block
  const expiry = { expires_at_epoch: expiryEpoch, previous_expiry_epoch: previousExpiryEpoch }
  return { ...blockKey(org_id, block.number), ...stored, ...expiry }
}

/** The newest block whose events all have its number, and what is signed. A row that only the sealer writes. */
export interface Head {
  number: number
  hash: string
  sealed_at: string
  /** When that block expires. */
  expiryEpoch: number
  /** The block of the newest checkpoint. */
  signedBlock?: number
  /** When the first block after it was sealed; absent when the newest block is signed. */
  unsignedSince?: string
}

export const headKey = (orgId: string): RowKey => ({ pk: orgPartition(orgId), sk: 'BLOCKHEAD' })

interface HeadRow extends Omit<Head, 'expiryEpoch' | 'signedBlock' | 'unsignedSince'> {
  block_expiry_epoch: number
  signed_block?: number
  unsigned_since?: string
}

export async function readHead(orgId: string): Promise<Head | undefined> {
  const row = fromRow<HeadRow>(await getRow(headKey(orgId)))
  if (!row) return undefined
  const { number, hash, sealed_at, block_expiry_epoch, signed_block, unsigned_since } = row
  return {
    number,
    hash,
    sealed_at,
    expiryEpoch: block_expiry_epoch,
    ...(signed_block === undefined ? {} : { signedBlock: signed_block }),
    ...(unsigned_since === undefined ? {} : { unsignedSince: unsigned_since }),
  }
}

/** The newest stored block, expired or not. */
export async function readNewestBlock(orgId: string): Promise<StoredBlock | undefined> {
  const { rows } = await queryPage({
    partition: orgPartition(orgId),
    prefix: blockPrefix,
    limit: 1,
    newestFirst: true,
    after: undefined,
  })
  return rows[0] && toBlock(orgId, rows[0])
}

/** The blocks after a number, oldest first, without expired ones. */
export async function readBlocks(
  orgId: string,
  page: { after: number; limit: number; now: Date },
): Promise<{ blocks: StoredBlock[]; more: boolean }> {
  const { rows, next } = await queryPage({
    partition: orgPartition(orgId),
    prefix: blockPrefix,
    from: blockKey(orgId, page.after + 1).sk,
    limit: page.limit,
  })
  const kept = rows.filter((row) => isKept(row, page.now))
  return { blocks: kept.map((row) => toBlock(orgId, row)), more: next !== undefined }
}

export const hasExpired = (expiryEpoch: number, now: Date): boolean => expiryEpoch <= epochSeconds(now)
