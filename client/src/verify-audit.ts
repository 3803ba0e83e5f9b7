/** Verifies an export of the audit trail with nothing but the export and the public keys: no call, no clock. */
import { ChainCheck, type ExportRange } from './audit-chain.ts'
import { EventCheck } from './audit-events.ts'
import { HeadCheck, type KeptHead } from './audit-heads.ts'
import { type ExportedCheckpoint, type ExportedLine, parseLine, timeOfId } from './audit-lines.ts'
import { AuditFaults, type AuditReport } from './audit-report.ts'
import { type AuditKey, importKeys } from './audit-signature.ts'

export interface VerifyAuditOptions {
  /** The `from` of the export. */
  from?: string
  /** The `to` of the export. */
  to?: string
  /** A head that you kept apart from the export: it finds a cut-off after the newest checkpoint. */
  head?: KeptHead
  /** A checkpoint that you kept apart from the export. */
  checkpoint?: ExportedCheckpoint
}

/**
 * Verifies an export of the audit trail, in `ndjson`, all its pages in their order.
 *
 * Reads line by line, and keeps no more than the ids of the events.
 *
 * @param lines the export: one text, or texts of whole lines, such as the pages
 * @param keys the answer of `GET /api/v1/audit-key`
 * @throws TypeError when the keys are not a JWK set, or `from` or `to` is not a time
 */
export async function verifyAuditExport(
  lines: AsyncIterable<string> | Iterable<string> | string,
  keys: { keys: readonly AuditKey[] },
  options: VerifyAuditOptions = {},
): Promise<AuditReport> {
  const verification = new Verification(await importKeys(keys), options)
  let line = 0
  for await (const texts of typeof lines === 'string' ? [lines] : lines) {
    for (const text of texts.replace(/\n$/, '').split('\n')) {
      line += 1
      if (text.trim() !== '') await verification.add(line, text)
    }
  }
  return verification.end(options.checkpoint)
}

class Verification {
  readonly #faults = new AuditFaults()
  readonly #events: EventCheck
  readonly #chain: ChainCheck
  #newest = Number.NEGATIVE_INFINITY
  #hasBlockAfterUnsealed = false

  constructor(keys: Awaited<ReturnType<typeof importKeys>>, { from, to, head, checkpoint }: VerifyAuditOptions) {
    const range: ExportRange = { from: timeOf('from', from), to: timeOf('to', to) }
    const kept = [head, checkpoint && { block: checkpoint.block, hash: checkpoint.hash }]
    const heads = new HeadCheck(
      this.#faults,
      kept.filter((each) => each !== undefined),
    )
    this.#events = new EventCheck(this.#faults, (id) => isWithin(range, timeOfId(id)))
    this.#chain = new ChainCheck(this.#faults, keys, heads, range)
  }

  async add(line: number, text: string): Promise<void> {
    try {
      await this.#check(line, parseLine(text))
    } catch (error) {
      // RangeError: nested deeper than the stack.
      if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error
      this.#faults.add('malformed', error instanceof SyntaxError ? error.message : 'The line nests too deep.', { line })
    }
  }

  async #check(line: number, parsed: ExportedLine): Promise<void> {
    if ('event' in parsed) {
      this.#note(parsed.event.timestamp)
      await this.#events.add(line, parsed.event)
    } else if ('checkpoint' in parsed) {
      const { block, at } = parsed.checkpoint
      this.#note(at)
      if (this.#events.hasNextEvents) {
        const message = `The checkpoint of block ${block} stands after an event of a later block.`
        this.#faults.add('misplaced', message, { line, block })
      }
      await this.#chain.addCheckpoint(line, parsed.checkpoint)
    } else {
      const { block } = parsed
      this.#note(block.sealed_at)
      await this.#chain.addBlock(line, block)
      if (this.#events.unsealed > 0 && !this.#hasBlockAfterUnsealed) {
        this.#hasBlockAfterUnsealed = true
        const message = `Block ${block.number} stands after events that are in no block.`
        this.#faults.add('misplaced', message, { line, block: block.number })
      }
      this.#events.match(line, block)
    }
  }

  #note(time: string): void {
    this.#newest = Math.max(this.#newest, Date.parse(time))
  }

  async end(kept: ExportedCheckpoint | undefined): Promise<AuditReport> {
    if (kept) await this.#chain.isSigned(kept, { block: kept.block })
    this.#events.end(this.#chain.last, this.#newest)
    this.#chain.end()
    const { first, last, signedThrough, blocks, checkpoints, unsignedBlocks } = this.#chain
    return {
      valid: this.#faults.count === 0,
      events: this.#events.count,
      blocks,
      checkpoints,
      first_block: first ?? null,
      last_block: first === undefined ? null : last,
      signed_through: signedThrough ?? null,
      unsigned_blocks: unsignedBlocks,
      unsealed: this.#events.unsealed,
      faults: this.#faults.list,
      fault_count: this.#faults.count,
    }
  }
}

function timeOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw new TypeError(`${name} is not a time: ${text}`)
  return time
}

const isWithin = ({ from, to }: ExportRange, time: number): boolean =>
  (from === undefined || time >= from) && (to === undefined || time < to)
