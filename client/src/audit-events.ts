/** The events of an export: each matches its hash, and is in the block that it names, once. */
import type { ExportedBlock, ExportedEvent } from './audit-lines.ts'
import type { AuditFaults } from './audit-report.ts'
import { hashOf } from './canonical-json.ts'

/** The sealer takes seconds. The service draws the same line. */
const maxUnsealedMs = 5 * 60_000

interface Pending {
  line: number
  hash: string
  sealed: number
  /** Reported already. */
  isChanged: boolean
}

export class EventCheck {
  count = 0
  unsealed = 0
  readonly #faults: AuditFaults
  readonly #isExported: (eventId: string) => boolean
  /** The block that each event names. */
  readonly #named = new Map<string, number | null>()
  /** Events whose block has not come yet. */
  readonly #pending = new Map<string, Pending>()
  /** The id of the newest event since a block; empty right after a block. */
  #lastId = ''
  #oldestUnsealed: { line: number; event_id: string; time: number } | undefined

  /** `isExported`: whether the range of the export has an event. */
  constructor(faults: AuditFaults, isExported: (eventId: string) => boolean) {
    this.#faults = faults
    this.#isExported = isExported
  }

  async add(line: number, { sealed, hash, ...content }: ExportedEvent): Promise<void> {
    const { id } = content
    this.count += 1
    const isChanged = (await hashOf(content)) !== hash
    if (isChanged) {
      this.#faults.add('changed', `Event ${id} does not match its hash.`, { line, event_id: id })
    }
    if (this.#named.has(id)) {
      this.#faults.add('duplicate', `Event ${id} is in the export twice.`, { line, event_id: id })
      return
    }
    if (id < this.#lastId) {
      this.#faults.add('misplaced', `Event ${id} stands after event ${this.#lastId}.`, { line, event_id: id })
    }
    this.#lastId = id
    this.#named.set(id, sealed)
    if (sealed === null) this.#addUnsealed(line, id, Date.parse(content.timestamp))
    else this.#pending.set(id, { line, hash, sealed, isChanged })
  }

  /** Whether events stand after the newest block. */
  get hasNextEvents(): boolean {
    return this.#lastId !== ''
  }

  #addUnsealed(line: number, event_id: string, time: number): void {
    this.unsealed += 1
    if (!this.#oldestUnsealed || time < this.#oldestUnsealed.time) this.#oldestUnsealed = { line, event_id, time }
  }

  /** Compares a block with the events since the block before it. */
  match(line: number, { number: block, events }: ExportedBlock): void {
    for (const { id: event_id, hash } of events) {
      const event = this.#pending.get(event_id)
      this.#pending.delete(event_id)
      if (!event) this.#addAbsent(line, block, event_id)
      else if (event.sealed !== block) {
        const message = `Event ${event_id} is in block ${block}, and names block ${event.sealed}.`
        this.#faults.add('changed', message, { line: event.line, block, event_id })
      } else if (event.hash !== hash && !event.isChanged) {
        const message = `Event ${event_id} does not have the hash that block ${block} holds.`
        this.#faults.add('changed', message, { line: event.line, block, event_id })
      }
    }
    for (const [event_id, { line, sealed }] of this.#pending) {
      if (sealed === block) {
        this.#faults.add('added', `Block ${block} does not hold event ${event_id}.`, { line, block, event_id })
      } else {
        const message = `Event ${event_id} names block ${sealed}, and stands before block ${block}.`
        this.#faults.add('misplaced', message, { line, block: sealed, event_id })
      }
    }
    this.#pending.clear()
    this.#lastId = ''
  }

  /** A block holds an event that does not stand before it. */
  #addAbsent(line: number, block: number, event_id: string): void {
    const named = this.#named.get(event_id)
    const where = { line, block, event_id }
    if (named === null) {
      this.#faults.add('changed', `Event ${event_id} is in block ${block}, and names no block.`, where)
    } else if (named !== undefined) {
      this.#faults.add('duplicate', `Block ${block} holds event ${event_id} again, or far from its line.`, where)
    } else if (this.#isExported(event_id)) {
      this.#faults.add('missing', `Event ${event_id} of block ${block} is not in the export.`, where)
    }
  }

  /** `newest`: the newest time in the export, which is a lower bound of the time of the export. */
  end(lastBlock: number, newest: number): void {
    for (const [event_id, { line, sealed: block }] of this.#pending) {
      const isCut = block > lastBlock
      const message = isCut
        ? `The export ends before block ${block}, which event ${event_id} names. Is a page missing?`
        : `Block ${block} does not hold event ${event_id}.`
      this.#faults.add(isCut ? 'cut_off' : 'added', message, { line, block, event_id })
    }
    const oldest = this.#oldestUnsealed
    if (oldest && newest - oldest.time > maxUnsealedMs) {
      const { line, event_id } = oldest
      const message = `Event ${event_id} is in no block, and is more than 5 minutes older than the end of the export.`
      this.#faults.add('unsealed', message, { line, event_id })
    }
  }
}
