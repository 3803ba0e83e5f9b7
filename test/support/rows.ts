/** Direct access to the table, for tests that read or change rows without the service. */

import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  BatchWriteCommand,
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  ScanCommand,
} from '@aws-sdk/lib-dynamodb'

export type StoredRow = { pk: string; sk: string } & Record<string, unknown>

// A client of the tests' own: faults that a test puts in the service's way must not be in theirs.
let shared: DynamoDBDocumentClient | undefined
const client = (): DynamoDBDocumentClient => {
  shared ??= DynamoDBDocumentClient.from(new DynamoDBClient({}))
  return shared
}
const TableName = process.env.TABLE_NAME

/** Every row of the test file's table. */
export async function allRows(): Promise<StoredRow[]> {
  const rows: StoredRow[] = []
  let ExclusiveStartKey: Record<string, unknown> | undefined
  do {
    const page = await client().send(
      new ScanCommand({ TableName, ConsistentRead: true, ...(ExclusiveStartKey ? { ExclusiveStartKey } : {}) }),
    )
    rows.push(...((page.Items ?? []) as StoredRow[]))
    ExclusiveStartKey = page.LastEvaluatedKey
  } while (ExclusiveStartKey)
  return rows
}

/** The rows of an org whose sort key has a prefix, in order of the sort key. */
export async function rowsOf(orgId: string, prefix: string): Promise<StoredRow[]> {
  const { Items = [] } = await client().send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': `ORG#${orgId}`, ':prefix': prefix },
      ConsistentRead: true,
    }),
  )
  return Items as StoredRow[]
}

export async function hasRow({ pk, sk }: Pick<StoredRow, 'pk' | 'sk'>): Promise<boolean> {
  const { Item } = await client().send(new GetCommand({ TableName, Key: { pk, sk }, ConsistentRead: true }))
  return Item !== undefined
}

export async function putRow(row: StoredRow): Promise<void> {
  await client().send(new PutCommand({ TableName, Item: row }))
}

export async function putRows(rows: readonly StoredRow[]): Promise<void> {
  const batchSize = 25
  for (let start = 0; start < rows.length; start += batchSize) {
    const batch = rows.slice(start, start + batchSize).map((Item) => ({ PutRequest: { Item } }))
    await client().send(new BatchWriteCommand({ RequestItems: { [TableName ?? '']: batch } }))
  }
}

export async function deleteRow({ pk, sk }: Pick<StoredRow, 'pk' | 'sk'>): Promise<void> {
  await client().send(new DeleteCommand({ TableName, Key: { pk, sk } }))
}
