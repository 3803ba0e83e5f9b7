/**
 * The table: its client, and the few ways in which this service touches it. Reads are consistent unless said
 * otherwise; there is no scan. Rows of an org are changed by `commit` alone.
 */
import { DynamoDBClient, TransactionConflictException } from '@aws-sdk/client-dynamodb'
import {
  BatchGetCommand,
  DynamoDBDocumentClient,
  GetCommand,
  type PutCommand,
  QueryCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb'
import { invalidCursor } from '../problem.ts'
import { awsClientSettings } from '../runtime/aws-client.ts'
import { requiredEnvironment } from '../runtime/environment.ts'

export interface RowKey {
  pk: string
  sk: string
}

export type Row = RowKey & Record<string, unknown>

/** The partition of everything that an org owns. */
export const orgPartition = (orgId: string): string => `ORG#${orgId}`

let shared: DynamoDBDocumentClient | undefined

/** The client, made on first use. */
export function table(): DynamoDBDocumentClient {
  shared ??= connect()
  return shared
}

function connect(): DynamoDBDocumentClient {
  const client = DynamoDBDocumentClient.from(new DynamoDBClient(awsClientSettings), {
    // An object that has a field named `constructor`, as headers can, passes for an instance of a class.
    marshallOptions: { removeUndefinedValues: true, convertClassInstanceToMap: true },
  })
  // It walks every input and output for a log line that nobody gets: a tenth of the CPU of a list.
  client.middlewareStack.remove('loggerMiddleware')
  return client
}

export const tableName = (): string => requiredEnvironment('tableName')

/** One row, read consistently. */
export async function getRow(key: RowKey): Promise<Row | undefined> {
  const { Item } = await table().send(new GetCommand({ TableName: tableName(), Key: key, ConsistentRead: true }))
  return Item as Row | undefined
}

type Update = Omit<UpdateCommandInput, 'TableName' | 'Key'>

/** Changes one row under its condition; false when the condition does not hold. */
export async function updateRowIf(key: RowKey, update: Update): Promise<boolean> {
  try {
    await updateRow(key, update)
    return true
  } catch (error) {
    if (error instanceof Error && error.name === 'ConditionalCheckFailedException') return false
    throw error
  }
}

/** Changes one row outside a commit: for counters, stamps and leases, which are no state of an org. */
export async function updateRow(key: RowKey, update: Update, signal?: AbortSignal): Promise<Row | undefined> {
  const { Attributes } = await writeRow(new UpdateCommand({ TableName: tableName(), Key: key, ...update }), signal)
  return Attributes as Row | undefined
}

/** The pause after a lost race is random, between 0 and this, doubled each time up to the cap. */
const firstPauseMs = 25
const maxPauseMs = 800
/** All pauses together stay below 4 s. */
const maxAttempts = 9

/**
 * Sends a write of one row, again while a transaction holds the row. The SDK does not retry that conflict; a refused write
 * changed nothing, so repeating it is safe.
 *
 * @throws the conflict, when the last attempt meets one too
 */
export async function writeRow(command: PutCommand | UpdateCommand, signal?: AbortSignal) {
  for (let attempt = 1; ; attempt++) {
    try {
      // Both commands answer with `Attributes`; the compiler cannot choose an overload for a union.
      return await table().send(command as UpdateCommand, signal ? { abortSignal: signal } : {})
    } catch (error) {
      if (!(error instanceof TransactionConflictException) || attempt === maxAttempts) throw error
      const pauseMs = Math.random() * Math.min(maxPauseMs, firstPauseMs * 2 ** (attempt - 1))
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
}

export interface PageRequest {
  partition: string
  /** Rows of the list: those whose sort key starts so. */
  prefix: string
  /** Narrows the range within the prefix; both ends inclusive, as DynamoDB's BETWEEN is. */
  from?: string
  to?: string
  limit: number
  newestFirst?: boolean
  /** The sort key after which the page starts. */
  after?: string | undefined
  /** Keeps what satisfies the filter. A filtered page reads at most `filteredReadLimit` rows, so it may come short. */
  filter?: Filter | undefined
}

export interface Filter {
  expression: string
  names: Record<string, string>
  values: Record<string, unknown>
}

/** A filter for the (dotted) attributes whose wanted value is given, or undefined when none is. */
export function equalsFilter(wanted: Record<string, string | undefined>): Filter | undefined {
  const given = Object.entries(wanted).filter(([, value]) => value !== undefined)
  if (given.length === 0) return undefined
  const filter: Filter = { expression: '', names: {}, values: {} }
  filter.expression = given
    .map(([path, value], index) => {
      const parts = path.split('.')
      for (const part of parts) filter.names[`#${part}`] = part
      filter.values[`:filter${index}`] = value
      return `${parts.map((part) => `#${part}`).join('.')} = :filter${index}`
    })
    .join(' AND ')
  return filter
}

/** How many rows one filtered page may read: what bounds its cost whatever the size of the org. */
const filteredReadLimit = 250

/** The character after `#`'s successors that every sort key within a prefix is below. */
const prefixEnd = (prefix: string): string => `${prefix}\uffff`

export interface Page {
  rows: Row[]
  /** The sort key to go on after, or undefined at the end. */
  next: string | undefined
}

/** One page of a list, by exactly one `Query`. */
export async function queryPage(request: PageRequest): Promise<Page> {
  const { partition, prefix, limit, after, filter } = request
  const from = request.from ?? prefix
  const to = request.to ?? prefixEnd(prefix)
  if (after !== undefined && (after < from || after > to)) throw invalidCursor()
  const { Items = [], LastEvaluatedKey } = await table().send(
    new QueryCommand({
      TableName: tableName(),
      KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
      ExpressionAttributeValues: {
        ':pk': partition,
        ':from': from,
        ':to': to,
        ...filter?.values,
      },
      ...(filter ? { FilterExpression: filter.expression } : {}),
      // DynamoDB refuses an empty map of names.
      ...(filter && Object.keys(filter.names).length > 0 ? { ExpressionAttributeNames: filter.names } : {}),
      ScanIndexForward: !request.newestFirst,
      ConsistentRead: true,
      // One more than asked for tells whether there is a next page, so that no list ends on an empty one.
      Limit: filter ? filteredReadLimit : limit + 1,
      ...(after ? { ExclusiveStartKey: { pk: partition, sk: after } } : {}),
    }),
  )
  const rows = Items as Row[]
  if (rows.length > limit) return { rows: rows.slice(0, limit), next: rows[limit - 1]?.sk }
  return { rows, next: LastEvaluatedKey?.sk as string | undefined }
}

/** Every row between two sort keys, both inclusive, a `Query` for each MiB of them: for ranges whose size is bounded. */
export async function queryRange(partition: string, from: string, to: string): Promise<Row[]> {
  const rows: Row[] = []
  let after: Record<string, unknown> | undefined
  do {
    const { Items = [], LastEvaluatedKey } = await table().send(
      new QueryCommand({
        TableName: tableName(),
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: { ':pk': partition, ':from': from, ':to': to },
        ConsistentRead: true,
        ...(after ? { ExclusiveStartKey: after } : {}),
      }),
    )
    rows.push(...(Items as Row[]))
    after = LastEvaluatedKey
  } while (after)
  return rows
}

/** How many rows of a prefix pass a filter: a `Query` for each MiB of the rows, passed or not. */
export async function countRows(partition: string, prefix: string, filter: Filter): Promise<number> {
  let count = 0
  let after: Record<string, unknown> | undefined
  do {
    const { Count = 0, LastEvaluatedKey } = await table().send(
      new QueryCommand({
        TableName: tableName(),
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
        FilterExpression: filter.expression,
        ExpressionAttributeValues: { ':pk': partition, ':prefix': prefix, ...filter.values },
        ...(Object.keys(filter.names).length > 0 ? { ExpressionAttributeNames: filter.names } : {}),
        Select: 'COUNT',
        ConsistentRead: true,
        ...(after ? { ExclusiveStartKey: after } : {}),
      }),
    )
    count += Count
    after = LastEvaluatedKey
  } while (after)
  return count
}

/** Which of at most 100 rows there are. */
export const existingRows = (keys: readonly RowKey[]): Promise<RowKey[]> => batchOf(keys, 'pk, sk')

const batchSize = 100

/** Those of the rows that there are, whatever their number. */
export async function getRows(keys: readonly RowKey[]): Promise<Row[]> {
  const starts = Array.from({ length: Math.ceil(keys.length / batchSize) }, (_, index) => index * batchSize)
  return (await Promise.all(starts.map((start) => batchOf(keys.slice(start, start + batchSize))))).flat()
}

async function batchOf(keys: readonly RowKey[], projection?: string): Promise<Row[]> {
  const found: Row[] = []
  let wanted = [...keys]
  for (let attempt = 0; wanted.length > 0; attempt++) {
    // What the table does not get round to, it hands back.
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

type DocumentTransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number]

/** One write of a transaction, and what it means to the caller when its condition fails. */
export interface Write {
  item: DocumentTransactItem
  /** Makes the error of a failed condition; it is given the row that stood in the way, where there is one. */
  refuse?: (existing: Record<string, unknown> | undefined) => Error
  /** Whether the row shows that this very write has landed: the SDK repeats a request whose answer was lost. */
  isDone?: (existing: Record<string, unknown>) => boolean
}

/** A row that must not exist yet. */
export const insert = <R extends RowKey>(row: R, refuse?: Write['refuse']): Write => ({
  item: { Put: { TableName: tableName(), Item: row, ConditionExpression: 'attribute_not_exists(pk)' } },
  ...(refuse ? { refuse } : {}),
})

/** A row that replaces whatever stood there. */
export const put = <R extends RowKey>(row: R): Write => ({ item: { Put: { TableName: tableName(), Item: row } } })

/** A row that replaces what stood there under a condition on it. */
export const putIf = <R extends RowKey>(
  row: R,
  condition: { ConditionExpression: string; ExpressionAttributeValues?: Record<string, unknown> },
  refuse: Write['refuse'],
): Write => ({
  item: { Put: { TableName: tableName(), Item: row, ...condition, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } },
  ...(refuse ? { refuse } : {}),
})

/** A row that goes under a condition on it. */
export const removeIf = (
  key: RowKey,
  condition: { ConditionExpression: string; ExpressionAttributeValues: Record<string, unknown> },
  refuse: Write['refuse'],
): Write => ({
  item: { Delete: { TableName: tableName(), Key: key, ...condition } },
  ...(refuse ? { refuse } : {}),
})

/** A change of one row under a condition. */
export const change = (
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
