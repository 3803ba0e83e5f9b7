/** Rows of the table and their keys. */

export interface RowKey {
  pk: string
  sk: string
}

export type Row = RowKey & Record<string, unknown>

/** The partition that holds all rows of an org. */
export const orgPartition = (orgId: string): string => `ORG#${orgId}`

/** The org of its partition. */
export const orgIdOf = (partition: string): string => partition.slice('ORG#'.length)

/**
 * The record in a row, without the row's keys. DynamoDB returns untyped attributes; only this service writes them. This is
 * one of two places that trust a row to hold what its own writes stored.
 */
export function fromRow<T extends object>(row: Row): T
export function fromRow<T extends object>(row: Row | undefined): T | undefined
export function fromRow<T extends object>(row: Row | undefined): T | undefined {
  if (!row) return undefined
  const record: Record<string, unknown> = {}
  for (const name in row) if (name !== 'pk' && name !== 'sk') record[name] = row[name]
  return record as unknown as T
}

/** The record in a row, with the row's keys hidden by its type only. For views that name each field: it copies nothing. */
export const recordIn = <T extends object>(row: Row): Readonly<T> => row as unknown as T
