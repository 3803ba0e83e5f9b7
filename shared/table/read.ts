/** Consistent reads of rows by key. */
import { BatchGetItemCommand, GetItemCommand } from '@aws-sdk/client-dynamodb'
import { tableName, wireTable } from './client.ts'
import type { Row, RowKey } from './rows.ts'
import { rowOf, wireKey } from './values.ts'

/** Reads one row. `fields`: as for `rowOf`. */
export async function getRow(key: RowKey, fields?: readonly string[]): Promise<Row | undefined> {
  const { Item } = await wireTable().send(
    new GetItemCommand({ TableName: tableName(), Key: wireKey(key), ConsistentRead: true }),
  )
  return Item && rowOf(Item, fields)
}

/** The keys that exist, of at most 100. */
export const existingRows = (keys: readonly RowKey[]): Promise<RowKey[]> => readBatch(keys, 'pk, sk')

const batchSize = 100

/** The rows that exist, of any number of keys. */
export async function getRows(keys: readonly RowKey[]): Promise<Row[]> {
  const starts = Array.from({ length: Math.ceil(keys.length / batchSize) }, (_, index) => index * batchSize)
  return (await Promise.all(starts.map((start) => readBatch(keys.slice(start, start + batchSize))))).flat()
}

async function readBatch(keys: readonly RowKey[], projection?: string): Promise<Row[]> {
  const found: Row[] = []
  let wanted = keys.map(wireKey)
  for (let attempt = 0; wanted.length > 0; attempt++) {
    // DynamoDB returns the keys that it had no capacity for; read them again.
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 50 * 2 ** Math.min(attempt, 5)))
    if (attempt > 8) throw Object.assign(new Error('the table does not keep up'), { name: 'ThrottlingException' })
    const { Responses, UnprocessedKeys } = await wireTable().send(
      new BatchGetItemCommand({
        RequestItems: {
          [tableName()]: {
            Keys: wanted,
            ConsistentRead: true,
            ...(projection ? { ProjectionExpression: projection } : {}),
          },
        },
      }),
    )
    for (const item of Responses?.[tableName()] ?? []) found.push(rowOf(item))
    wanted = UnprocessedKeys?.[tableName()]?.Keys ?? []
  }
  return found
}
