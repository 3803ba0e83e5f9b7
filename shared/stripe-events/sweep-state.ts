/** The progress of the sweep. It is saved during the run, so the next run continues after a crash or timeout. */
import { getRow } from '../table/read.ts'
import { fromRow, type RowKey } from '../table/rows.ts'
import { updateRow } from '../table/update.ts'

export interface SweepState {
  /** Events up to this time, in epoch seconds, were compared with the processed ones. */
  comparedUntil?: number
  /** The unfinished comparison. */
  comparison?: Comparison
  /** The position of the walk through the customers. */
  position: Position
}

/** The time range of a comparison, and the id of the last event of the previous page. */
export interface Comparison {
  from: number
  until: number
  after?: string
}

export interface Position {
  shard: number
  /** The walk continues after this customer; absent at the start of a shard. */
  after?: string
}

const stateKey: RowKey = { pk: 'STRIPESWEEP', sk: 'STATE' }

export async function readSweepState(): Promise<SweepState> {
  const row = fromRow<{ sweep: SweepState }>(await getRow(stateKey))
  return row?.sweep ?? { position: { shard: 0 } }
}

export async function saveSweepState(state: SweepState): Promise<void> {
  await updateRow(stateKey, {
    UpdateExpression: 'SET sweep = :sweep',
    ExpressionAttributeValues: { ':sweep': state },
  })
}
