/** The chain of an export: blocks that follow one another, and checkpoints that sign them. */
import type { HeadCheck } from './audit-heads.ts'
import type { ExportedBlock, ExportedCheckpoint } from './audit-lines.ts'
import type { AuditFaults } from './audit-report.ts'
import { type AuditKeys, isSignedWith } from './audit-signature.ts'
import { hashOf } from './canonical-json.ts'

/** The events that an export was asked for, in ms since 1970. */
export interface ExportRange {
  from: number | undefined
  to: number | undefined
}

/** The `previous_hash` of block 1. */
const genesisHash = '0'.repeat(64)

/** Events are sealed within this time: later blocks of a range hold no events from before it. */
const maxSealMs = 5 * 60_000

type Link = Pick<ExportedBlock, 'number' | 'hash' | 'sealed_at'>

export class ChainCheck {
  blocks = 0
  checkpoints = 0
  first: number | undefined
  signedThrough: number | undefined
  unsignedBlocks = 0
  readonly #faults: AuditFaults
  readonly #keys: AuditKeys
  readonly #heads: HeadCheck
  readonly #range: ExportRange
  #orgId: string | undefined
  #previous: Link | undefined
  /** Blocks since the newest checkpoint, or since a gap. */
  #unsignedRun = 0
  #hasGap = false
  /** Whether a checkpoint vouches for the first block. */
  #isVouchedFor = false
  #lastCheckpoint = 0
  /** A checkpoint of a block that has not come. */
  #later: { line: number; block: number } | undefined

  constructor(faults: AuditFaults, keys: AuditKeys, heads: HeadCheck, range: ExportRange) {
    this.#faults = faults
    this.#keys = keys
    this.#heads = heads
    this.#range = range
  }

  get last(): number {
    return this.#previous?.number ?? 0
  }

  async addBlock(line: number, block: ExportedBlock): Promise<void> {
    const { hash, ...content } = block
    const where = { line, block: block.number }
    this.blocks += 1
    this.#checkOrg(line, block.org_id)
    if (this.#later) {
      const message = `The checkpoint of block ${this.#later.block} stands before its block.`
      this.#faults.add('misplaced', message, this.#later)
      this.#later = undefined
    }
    if ((await hashOf(content)) !== hash) {
      this.#faults.add('changed', `Block ${block.number} does not match its hash.`, where)
    }
    if (this.#previous) this.#link(this.#previous, block, where)
    else this.#begin(block, where)
    this.#heads.add(block)
    this.#unsignedRun += 1
    this.#previous = block
  }

  #checkOrg(line: number, orgId: string): void {
    this.#orgId ??= orgId
    if (orgId !== this.#orgId) {
      this.#faults.add('misplaced', `The line is of organization ${orgId}, the export of ${this.#orgId}.`, { line })
    }
  }

  #begin(block: ExportedBlock, where: { line: number; block: number }): void {
    this.first = block.number
    if (block.number > 1) this.#heads.first(block)
    else if (block.previous_hash !== genesisHash) {
      this.#faults.add('broken_link', 'Block 1 names a block before it.', where)
    }
  }

  #link(previous: Link, block: ExportedBlock, where: { line: number; block: number }): void {
    const { number } = block
    if (number <= previous.number) {
      const reason = number === previous.number ? 'duplicate' : 'misplaced'
      this.#faults.add(reason, `Block ${number} stands after block ${previous.number}.`, where)
    } else if (number > previous.number + 1) this.#gap(previous, block, where)
    else if (block.previous_hash !== previous.hash) {
      this.#faults.add('broken_link', `Block ${number} does not hold the hash of block ${previous.number}.`, where)
    }
  }

  #gap(previous: Link, block: ExportedBlock, where: { line: number; block: number }): void {
    this.#hasGap = true
    // Nothing links the blocks before the gap to a later signature.
    this.unsignedBlocks += this.#unsignedRun
    this.#unsignedRun = 0
    if (this.#canSkip(previous, block)) return
    const [from, to] = [previous.number + 1, block.number - 1]
    const blocks = from === to ? `Block ${from} is` : `Blocks ${from} to ${to} are`
    this.#faults.add('missing', `${blocks} not in the export.`, { ...where, block: from })
  }

  /** A range leaves out blocks without an event in it. They are at its edges: events are sealed soon, and in order. */
  #canSkip(previous: Link, next: Link): boolean {
    const { from, to } = this.#range
    const isAtStart = from !== undefined && Date.parse(previous.sealed_at) < from + maxSealMs
    return isAtStart || (to !== undefined && Date.parse(next.sealed_at) >= to)
  }

  async addCheckpoint(line: number, checkpoint: ExportedCheckpoint): Promise<void> {
    const { block } = checkpoint
    const where = { line, block }
    this.checkpoints += 1
    this.#checkOrg(line, checkpoint.org_id)
    if (!(await this.isSigned(checkpoint, where))) return
    if (block <= this.#lastCheckpoint) {
      const reason = block === this.#lastCheckpoint ? 'duplicate' : 'misplaced'
      this.#faults.add(
        reason,
        `A checkpoint of block ${block} stands after one of block ${this.#lastCheckpoint}.`,
        where,
      )
      return
    }
    this.#lastCheckpoint = block
    if (block > this.last) this.#later = where
    else if (block < this.last) {
      this.#faults.add('misplaced', `The checkpoint of block ${block} stands after block ${this.last}.`, where)
    } else if (checkpoint.hash !== this.#previous?.hash) {
      this.#faults.add('changed', `Block ${block} is not the block that was signed.`, where)
    } else {
      this.signedThrough = block
      this.#unsignedRun = 0
      if (!this.#hasGap) this.#isVouchedFor = true
    }
  }

  /** Adds a fault to the report if not. */
  async isSigned(checkpoint: ExportedCheckpoint, where: { line?: number; block: number }): Promise<boolean> {
    const { kid, block } = checkpoint
    const key = this.#keys.get(kid)
    if (!key) {
      this.#faults.add('unknown_key', `No key of the JWK set has the kid ${kid}.`, where)
      return false
    }
    if (await isSignedWith(key, checkpoint)) return true
    this.#faults.add('bad_signature', `The signature of block ${block} is not valid.`, where)
    return false
  }

  end(): void {
    const { first, last } = this
    const isRange = this.#range.from !== undefined || this.#range.to !== undefined
    this.unsignedBlocks += this.#unsignedRun
    // The checkpoint after the end of a range has its block outside the export.
    if (this.#later && this.#range.to === undefined) {
      const message = `The export ends at block ${last}, and block ${this.#later.block} is signed. Is a page missing?`
      this.#faults.add('cut_off', message, this.#later)
    }
    if (first !== undefined && this.#range.from === undefined && !this.#isVouchedFor && !this.#heads.vouches) {
      this.#addUnvouched(first, isRange)
    }
    this.#heads.end(first ?? 0, last, isRange)
  }

  /** The service signs the first block at once. A chain without any signature can be written by anyone. */
  #addUnvouched(first: number, isRange: boolean): void {
    if (first > 1) {
      const message = `The export starts at block ${first}, and no checkpoint vouches for it. Is a page missing?`
      this.#faults.add('missing', message, { block: first - 1 })
    } else if (!isRange) {
      this.#faults.add('unsigned', 'No valid checkpoint signs the chain. Is a page missing?')
    }
  }
}
