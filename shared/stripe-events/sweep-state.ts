/** How far the sweep has come: kept as it goes, so that a run that dies or runs out of time is taken up by the next. */
import { getRow } from '../table/read.ts'
import { fromRow, type RowKey } from '../table/rows.ts'
import { updateRow } from '../table/update.ts'

export interface SweepState {
  /** Events created up to then, in epoch seconds, have been compared with what is marked done. */
  comparedUntil?: number
  /** The comparison that was begun and not ended. */
  comparison?: Comparison
  /** Where the walk through the customers goes on. */
  position: Position
}

/** Which events are compared, and the id of the last one of the page before. */
export interface Comparison {
  from: number
  until: number
  after?: string
}

export interface Position {
  shard: number
  /** The customer after which it goes on; absent at the beginning of a shard. */
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
