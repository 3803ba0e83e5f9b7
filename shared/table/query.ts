/** Consistent reads of many rows of one partition. There is no scan. */
import { QueryCommand, type QueryCommandInput } from '@aws-sdk/client-dynamodb'
import { marshall } from '@aws-sdk/util-dynamodb'
import { invalidCursor } from '../problem.ts'
import { tableName, wireTable } from './client.ts'
import type { Row } from './rows.ts'
import { rowOf, wireKey } from './values.ts'

export interface PageRequest {
  partition: string
  /** The prefix of the sort keys of the list. */
  prefix: string
  /** Narrow the range within the prefix. Both ends are inclusive, as in DynamoDB's BETWEEN. */
  from?: string
  to?: string
  limit: number
  newestFirst?: boolean
  /** The sort key after which the page starts. */
  after?: string | undefined
  /** Keeps matching rows. A filtered page reads at most `filteredReadLimit` rows, so it can be short or empty. */
  filter?: Filter | undefined
  /** The attributes to return: as for `rowOf`. */
  fields?: readonly string[]
}

export interface Filter {
  expression: string
  names: Record<string, string>
  values: Record<string, unknown>
}

/** A filter that compares (dotted) attributes with the given values; undefined when no value is given. */
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

/** Rows that one filtered page may read: this bounds its cost for orgs of any size. */
const filteredReadLimit = 250

/** Upper bound of a prefix range: U+FFFF sorts after every key character we use. */
const prefixEnd = (prefix: string): string => `${prefix}\uffff`

export interface Page {
  rows: Row[]
  /** `after` of the next page; undefined at the end. */
  next: string | undefined
}

/** Reads one page of a list with exactly one `Query`. */
export async function queryPage(request: PageRequest): Promise<Page> {
  const { partition, prefix, limit, after, filter } = request
  const from = request.from ?? prefix
  const to = request.to ?? prefixEnd(prefix)
  if (after !== undefined && (after < from || after > to)) throw invalidCursor()
  const { Items = [], LastEvaluatedKey } = await query({
    KeyConditionExpression: between,
    ExpressionAttributeValues: { ...rangeValues(partition, from, to), ...filterValues(filter) },
    ...(filter ? { FilterExpression: filter.expression } : {}),
    ...namesOf(filter),
    ScanIndexForward: !request.newestFirst,
    // One extra row shows whether a next page exists, so no list ends with an empty page.
    Limit: filter ? filteredReadLimit : limit + 1,
    ...(after ? { ExclusiveStartKey: wireKey({ pk: partition, sk: after }) } : {}),
  })
  const rows = Items.slice(0, limit).map((item) => rowOf(item, request.fields))
  if (Items.length <= limit) return { rows, next: LastEvaluatedKey?.sk?.S }
  return { rows, next: rows.at(-1)?.sk }
}

const query = (input: Omit<QueryCommandInput, 'TableName' | 'ConsistentRead'>) =>
  wireTable().send(new QueryCommand({ TableName: tableName(), ConsistentRead: true, ...input }))

const between = 'pk = :pk AND sk BETWEEN :from AND :to'

const rangeValues = (partition: string, from: string, to: string) => ({
  ':pk': { S: partition },
  ':from': { S: from },
  ':to': { S: to },
})

const filterValues = (filter: Filter | undefined) => (filter ? marshall(filter.values) : {})

/** DynamoDB refuses an empty map of names. */
const namesOf = (filter: Filter | undefined) =>
  filter && Object.keys(filter.names).length > 0 ? { ExpressionAttributeNames: filter.names } : {}

/** Reads all rows between two sort keys, both inclusive, with one `Query` per MiB. Only for ranges of bounded size. */
export async function queryRange(partition: string, from: string, to: string): Promise<Row[]> {
  const rows: Row[] = []
  let after: QueryCommandInput['ExclusiveStartKey']
  do {
    const { Items = [], LastEvaluatedKey } = await query({
      KeyConditionExpression: between,
      ExpressionAttributeValues: rangeValues(partition, from, to),
      ...(after ? { ExclusiveStartKey: after } : {}),
    })
    for (const item of Items) rows.push(rowOf(item))
    after = LastEvaluatedKey
  } while (after)
  return rows
}

/** Counts the rows of a prefix that match a filter, with one `Query` per MiB read. */
export async function countRows(partition: string, prefix: string, filter: Filter): Promise<number> {
  let count = 0
  let after: QueryCommandInput['ExclusiveStartKey']
  do {
    const { Count = 0, LastEvaluatedKey } = await query({
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      FilterExpression: filter.expression,
      ExpressionAttributeValues: { ':pk': { S: partition }, ':prefix': { S: prefix }, ...filterValues(filter) },
      ...namesOf(filter),
      Select: 'COUNT',
      ...(after ? { ExclusiveStartKey: after } : {}),
    })
    count += Count
    after = LastEvaluatedKey
  } while (after)
  return count
}
