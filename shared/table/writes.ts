/** The writes that transactions are made of. */
import type { TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb'
import { tableName } from './client.ts'
import type { RowKey } from './rows.ts'
import type { Update } from './update.ts'

type DocumentTransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number]

/** One write of a transaction, and the error that a failed condition means to the caller. */
export interface Write {
  item: DocumentTransactItem
  /** Makes the error of a failed condition. `existing` is the row that failed it, if there is one. */
  refuse?: (existing: Record<string, unknown> | undefined) => Error
  /** Whether the row shows that this write already succeeded: the SDK repeats a request when it loses the response. */
  isDone?: (existing: Record<string, unknown>) => boolean
}

/** Writes a row that must not exist yet. */
export const insert = <R extends RowKey>(row: R, refuse?: Write['refuse']): Write => ({
  item: { Put: { TableName: tableName(), Item: row, ConditionExpression: 'attribute_not_exists(pk)' } },
  ...(refuse ? { refuse } : {}),
})

/** Writes a row, over the existing one if there is one. */
export const put = <R extends RowKey>(row: R): Write => ({ item: { Put: { TableName: tableName(), Item: row } } })

/** Writes a row if the existing one meets the condition. */
export const putIf = <R extends RowKey>(
  row: R,
  condition: { ConditionExpression: string; ExpressionAttributeValues?: Record<string, unknown> },
  refuse: Write['refuse'],
): Write => ({
  item: { Put: { TableName: tableName(), Item: row, ...condition, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } },
  ...(refuse ? { refuse } : {}),
})

/** Deletes a row if it meets the condition. */
export const removeIf = (
  key: RowKey,
  condition: { ConditionExpression: string; ExpressionAttributeValues: Record<string, unknown> },
  refuse: Write['refuse'],
): Write => ({
  item: { Delete: { TableName: tableName(), Key: key, ...condition } },
  ...(refuse ? { refuse } : {}),
})

/** Updates a row if it meets the condition. */
export const updateIf = (
  key: RowKey,
  update: Required<Pick<Update, 'UpdateExpression' | 'ConditionExpression' | 'ExpressionAttributeValues'>> &
    Pick<Update, 'ExpressionAttributeNames'>,
  refuse?: Write['refuse'],
): Write => ({
  item: {
    Update: {
      TableName: tableName(),
      Key: key,
      ...(update as Required<Update>),
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    },
  },
  ...(refuse ? { refuse } : {}),
})
