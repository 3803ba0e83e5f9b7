/** Values of rows between DynamoDB's JSON and this code. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import type { Row, RowKey } from './rows.ts'

/** A row as DynamoDB's JSON has it. */
export type WireRow = Record<string, AttributeValue>

export const wireKey = ({ pk, sk }: RowKey): WireRow => ({ pk: { S: pk }, sk: { S: sk } })

/**
 * A row of the table from DynamoDB's JSON. `fields`: the attributes to take, in this order. DynamoDB returns attributes in any
 * order, and V8 builds and reads objects of one order several times faster.
 */
export function rowOf(item: WireRow, fields: readonly string[] = Object.keys(item)): Row {
  const row: Record<string, unknown> = { pk: item.pk?.S, sk: item.sk?.S }
  for (const name of fields) {
    const value = item[name]
    if (value !== undefined) row[name] = valueIn(value)
  }
  return row as Row
}

function valueIn(value: AttributeValue): unknown {
  if (value.S !== undefined) return value.S
  if (value.N !== undefined) return numberOf(value.N)
  if (value.BOOL !== undefined) return value.BOOL
  if (value.NULL !== undefined) return null
  if (value.L !== undefined) return value.L.map(valueIn)
  if (value.M !== undefined) return mapOf(value.M)
  if (value.SS !== undefined) return new Set(value.SS)
  // The client leaves it as base64.
  if (value.B !== undefined) return Buffer.from(value.B as unknown as string, 'base64')
  throw new TypeError(`a row holds a value of the type ${Object.keys(value).join()}`)
}

/** A stored name can be `__proto__`: assigned, it would be lost. */
function mapOf(map: WireRow): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, valueIn(value)]))
}

function numberOf(text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) || !Number.isInteger(number)) return number
  throw new RangeError(`a row holds ${text}, which a number cannot represent`)
}
