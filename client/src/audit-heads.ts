/** Heads and checkpoints that the caller kept apart from the export: they must be in its chain. */
import type { ExportedBlock } from './audit-lines.ts'
import type { AuditFaults } from './audit-report.ts'

export interface KeptHead {
  /** Absent: a block with this hash must be in the chain, at any number. */
  block?: number
  hash: string
}

export class HeadCheck {
  /** Whether a kept head vouches for blocks before the first one of the export. */
  vouches = false
  readonly #faults: AuditFaults
  readonly #open: Set<KeptHead>

  constructor(faults: AuditFaults, heads: readonly KeptHead[]) {
    this.#faults = faults
    this.#open = new Set(heads)
  }

  /** The first block holds the hash of the block before it. */
  first({ number, previous_hash }: ExportedBlock): void {
    this.add({ number: number - 1, hash: previous_hash })
  }

  add({ number, hash }: Pick<ExportedBlock, 'number' | 'hash'>): void {
    for (const head of this.#open) {
      if (head.block === undefined ? head.hash !== hash : head.block !== number) continue
      this.#open.delete(head)
      if (head.hash === hash) this.vouches = true
      else this.#faults.add('changed', `Block ${number} does not have the hash that you kept.`, { block: number })
    }
  }

  /** `isRange`: the export leaves blocks out on purpose. */
  end(first: number, last: number, isRange: boolean): void {
    for (const { block, hash } of this.#open) {
      if (block === undefined) this.#faults.add('cut_off', `No block has the hash that you kept, ${hash}.`)
      else if (isRange) continue
      else if (block > last) {
        const message = `The export ends at block ${last}, before block ${block} that you kept.`
        this.#faults.add('cut_off', message, { block })
      } else if (block < first) {
        const message = `The export starts at block ${first}, after block ${block} that you kept. It has expired, or was removed.`
        this.#faults.add('missing', message, { block })
      }
    }
  }
}
