/** Writes of single rows outside a transaction. `commit` alone changes the settings of an org. */
import { TransactionConflictException } from '@aws-sdk/client-dynamodb'
import { PutCommand, type PutCommandInput, UpdateCommand, type UpdateCommandInput } from '@aws-sdk/lib-dynamodb'
import { table, tableName } from './client.ts'
import type { Row, RowKey } from './rows.ts'

export type Update = Omit<UpdateCommandInput, 'TableName' | 'Key'>

/** Updates one row under its condition; false when the condition does not hold. */
export const updateRowIf = (key: RowKey, update: Update): Promise<boolean> => holds(updateRow(key, update))

/** Puts one row under a condition; false when the condition does not hold. */
export const putRowIf = (row: Row, condition: Pick<PutCommandInput, 'ConditionExpression'>): Promise<boolean> =>
  holds(writeRow(new PutCommand({ TableName: tableName(), Item: row, ...condition })))

async function holds(write: Promise<unknown>): Promise<boolean> {
  try {
    await write
    return true
  } catch (error) {
    if (error instanceof Error && error.name === 'ConditionalCheckFailedException') return false
    throw error
  }
}

/** Updates one row outside a commit. Only for counters, timestamps and leases, which are not settings of an org. */
export async function updateRow(key: RowKey, update: Update, signal?: AbortSignal): Promise<Row | undefined> {
  const { Attributes } = await writeRow(new UpdateCommand({ TableName: tableName(), Key: key, ...update }), signal)
  return Attributes as Row | undefined
}

/** A random pause up to this limit follows each conflict. The limit doubles each time, up to `maxPauseMs`. */
const firstPauseMs = 25
const maxPauseMs = 800
/** Keeps the sum of all pauses below 4 s. */
const maxAttempts = 9

/**
 * Writes one row; retries while a transaction holds the row. The SDK does not retry this conflict. A refused write changed
 * nothing, so repeating it is safe.
 *
 * @throws TransactionConflictException after the last attempt
 */
export async function writeRow(command: PutCommand | UpdateCommand, signal?: AbortSignal) {
  for (let attempt = 1; ; attempt++) {
    try {
      // Both commands return `Attributes`; the compiler cannot choose an overload for a union.
      return await table().send(command as UpdateCommand, signal ? { abortSignal: signal } : {})
    } catch (error) {
      if (!(error instanceof TransactionConflictException) || attempt === maxAttempts) throw error
      const pauseMs = Math.random() * Math.min(maxPauseMs, firstPauseMs * 2 ** (attempt - 1))
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
}
