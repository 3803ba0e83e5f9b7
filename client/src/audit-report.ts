/** The result of verifying an export: types, and the list of faults. */

/**
 * - `malformed`: a line is no line of an export.
 * - `missing`: a block or an event that the chain names is not in the export.
 * - `changed`: an event, a block or a checkpoint differs from its hash or its signature.
 * - `added`: an event is not in the block that it names.
 * - `duplicate`: an event, a block or a checkpoint is there twice.
 * - `broken_link`: a block does not follow the one before it.
 * - `misplaced`: a line is not where an export has it.
 * - `cut_off`: the export ends before a block that was sealed.
 * - `unsealed`: an event is in no block for more than 5 minutes.
 * - `unsigned`: the export of a whole trail has blocks, and no valid checkpoint.
 * - `unknown_key`: no public key has the `kid` of a checkpoint.
 * - `bad_signature`: a checkpoint is not signed by the key that it names.
 */
export type AuditFaultReason =
  | 'malformed'
  | 'missing'
  | 'changed'
  | 'added'
  | 'duplicate'
  | 'broken_link'
  | 'misplaced'
  | 'cut_off'
  | 'unsealed'
  | 'unsigned'
  | 'unknown_key'
  | 'bad_signature'

export interface AuditFault {
  /** From 1, over all pages. Absent: the fault is that something is not there. */
  line?: number
  block?: number
  event_id?: string
  reason: AuditFaultReason
  /** For a person. */
  message: string
}

export interface AuditReport {
  valid: boolean
  events: number
  blocks: number
  checkpoints: number
  /** null: the export holds no block. */
  first_block: number | null
  last_block: number | null
  /** The newest block with a valid signature, which vouches for the blocks that lead to it. null: none is signed. */
  signed_through: number | null
  /** Blocks that no signature vouches for: normally those after the newest checkpoint. */
  unsigned_blocks: number
  /** Events in no block yet. Nothing proves or disproves them. */
  unsealed: number
  /** The first 1,000 faults, in the order of the export. */
  faults: AuditFault[]
  /** All faults, with those that `faults` leaves out. */
  fault_count: number
}

const maxFaults = 1000

/** Keeps memory bounded when every line has a fault. */
export class AuditFaults {
  readonly list: AuditFault[] = []
  count = 0

  add(reason: AuditFaultReason, message: string, where: Omit<AuditFault, 'reason' | 'message'> = {}): void {
    this.count += 1
    if (this.list.length < maxFaults) this.list.push({ ...where, reason, message })
  }
}
