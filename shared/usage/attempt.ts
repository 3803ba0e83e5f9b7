/** One attempt at a write that others can get in the way of: it lands, or must be tried again after a fresh read. */
import {
  ConditionalCheckFailedException,
  TransactionCanceledException,
  TransactionConflictException,
} from '@aws-sdk/client-dynamodb'
import {
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'
import { table } from '../table/client.ts'
import type { Row } from '../table/rows.ts'

/** Another write came between. Nothing was written. */
export class LostRaceError extends Error {
  override readonly name = 'LostRaceError'
}

const lost = (cause: Error) => new LostRaceError('another request changed the usage since it was read', { cause })

/**
 * Updates one row, and returns it. Concurrent updates of one row queue up; transactions would cancel each other.
 *
 * @throws LostRaceError when the condition does not hold
 */
export async function updateOnce(update: UpdateCommandInput, token: string): Promise<Row> {
  try {
    const { Attributes } = await table().send(
      new UpdateCommand({ ...update, ReturnValues: 'ALL_NEW', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }),
    )
    return Attributes as Row
  } catch (error) {
    if (error instanceof TransactionConflictException) throw lost(error)
    if (!(error instanceof ConditionalCheckFailedException)) throw error
    // The document client does not unmarshall the item of a failed condition.
    const existing = error.Item && (unmarshall(error.Item) as Row)
    if (existing?.last !== token) throw lost(error)
    return existing
  }
}

const racing = new Set([
  ...['None', 'ConditionalCheckFailed', 'TransactionConflict'],
  ...['ThrottlingError', 'ProvisionedThroughputExceeded'],
])

/**
 * Writes rows together.
 *
 * @throws LostRaceError when a condition does not hold, or another transaction holds a row
 */
export async function transactOnce(items: NonNullable<TransactWriteCommandInput['TransactItems']>): Promise<void> {
  try {
    await table().send(new TransactWriteCommand({ TransactItems: items }))
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error
    const isRace = (error.CancellationReasons ?? []).every(({ Code = 'None' }) => racing.has(Code))
    throw isRace ? lost(error) : error
  }
}
