/** Consistent reads of rows by key. */
import { BatchGetCommand, GetCommand } from '@aws-sdk/lib-dynamodb'
import { table, tableName } from './client.ts'
import type { Row, RowKey } from './rows.ts'

/** Reads one row. */
export async function getRow(key: RowKey): Promise<Row | undefined> {
  const { Item } = await table().send(new GetCommand({ TableName: tableName(), Key: key, ConsistentRead: true }))
  return Item as Row | undefined
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
  let wanted = [...keys]
  for (let attempt = 0; wanted.length > 0; attempt++) {
    // DynamoDB returns the keys that it had no capacity for; read them again.
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 50 * 2 ** Math.min(attempt, 5)))
    if (attempt > 8) throw Object.assign(new Error('the table does not keep up'), { name: 'ThrottlingException' })
    const { Responses, UnprocessedKeys } = await table().send(
      new BatchGetCommand({
        RequestItems: {
          [tableName()]: {
            Keys: wanted,
            ConsistentRead: true,
            ...(projection ? { ProjectionExpression: projection } : {}),
          },
        },
      }),
    )
    found.push(...((Responses?.[tableName()] ?? []) as Row[]))
    wanted = (UnprocessedKeys?.[tableName()]?.Keys ?? []) as RowKey[]
  }
  return found
}
