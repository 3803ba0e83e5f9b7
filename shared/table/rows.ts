/** Rows of the table and their keys. */

export interface RowKey {
  pk: string
  sk: string
}

export type Row = RowKey & Record<string, unknown>

/** The partition that holds all rows of an org. */
export const orgPartition = (orgId: string): string => `ORG#${orgId}`

/**
 * The record in a row, without the row's keys. DynamoDB returns untyped attributes; only this service writes them. This is
 * the one place that trusts a row to hold what its own writes stored.
 */
export function fromRow<T extends object>({ pk: _pk, sk: _sk, ...record }: Row): T {
  return record as unknown as T
}
