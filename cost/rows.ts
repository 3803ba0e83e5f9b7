/** Sizes of rows, by DynamoDB's rules. */
import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import { table, tableName } from '../shared/table/client.ts'
import type { Row } from '../shared/table/rows.ts'

/** Bytes of a row: names and values in UTF-8, two digits of a number per byte, plus the overhead of lists and maps. */
export const rowBytes = (row: Record<string, unknown>): number =>
  Object.entries(row).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0)

function valueBytes(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (typeof value === 'number') return Math.ceil(String(value).replace(/\D/g, '').length / 2) + 1
  if (value instanceof Set) return sumOfValues([...value])
  if (Array.isArray(value)) return 3 + value.length + sumOfValues(value)
  if (typeof value === 'object' && value !== null) return 3 + Object.keys(value).length + rowBytes(value as Row)
  return 1
}

const sumOfValues = (values: readonly unknown[]): number =>
  values.reduce<number>((sum, value) => sum + valueBytes(value), 0)

/** The mean size of all rows whose `pk|sk` matches, by pattern. This script may scan; the service never does. */
export async function meanRowBytes<Name extends string>(patterns: Record<Name, RegExp>): Promise<Record<Name, number>> {
  const rows = await scan()
  const mean = (pattern: RegExp): number => {
    const sizes = rows.filter(({ pk, sk }) => pattern.test(`${pk}|${sk}`)).map(rowBytes)
    return sizes.reduce((sum, size) => sum + size, 0) / sizes.length
  }
  const names = Object.keys(patterns) as Name[]
  return Object.fromEntries(names.map((name) => [name, mean(patterns[name])])) as Record<Name, number>
}

async function scan(): Promise<Row[]> {
  const rows: Row[] = []
  let after: Record<string, unknown> | undefined
  do {
    const page = new ScanCommand({ TableName: tableName(), ...(after ? { ExclusiveStartKey: after } : {}) })
    const { Items = [], LastEvaluatedKey } = await table().send(page)
    rows.push(...(Items as Row[]))
    after = LastEvaluatedKey
  } while (after)
  return rows
}
