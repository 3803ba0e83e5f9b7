/**
 * Settings that exist once per org: a row with a version, defaults until the first write, and updates that cannot
 * overwrite concurrent ones.
 */
import { type AuditAction, type AuditChange, changedFields, type ResourceType } from '../audit/event.ts'
import { getRow } from '../table/read.ts'
import { fromRow, orgPartition, type Row, type RowKey } from '../table/rows.ts'
import { putIf } from '../table/writes.ts'
import { type Mutation, StaleReadError } from './commit.ts'

export interface DocumentKind<T extends object> {
  sortKey: string
  resource: ResourceType
  updated: AuditAction
  defaults: T
}

/** A document as read. Version 0: not stored yet. */
export interface Versioned<T> {
  value: T
  version: number
}

export const documentKey = <T extends object>(kind: DocumentKind<T>, orgId: string): RowKey => ({
  pk: orgPartition(orgId),
  sk: kind.sortKey,
})

/** The stored settings, or their defaults. */
export const readDocument = async <T extends object>(kind: DocumentKind<T>, orgId: string): Promise<Versioned<T>> =>
  documentOf(kind, await getRow(documentKey(kind, orgId)))

/** The document of a row. Fields added after the row was written have their defaults. */
export function documentOf<T extends object>(kind: DocumentKind<T>, row: Row | undefined): Versioned<T> {
  const stored = fromRow<{ value: Partial<T>; version: number }>(row)
  if (!stored) return { value: kind.defaults, version: 0 }
  return { value: { ...kind.defaults, ...stored.value }, version: stored.version }
}

/**
 * The change from `before` to `after`. Its event records each field that differs, as `shown` shows it. A secret appears
 * as its mask, and counts as changed even if the new mask is the same.
 */
export function documentChanged<T extends object>(
  kind: DocumentKind<T>,
  orgId: string,
  before: Versioned<T>,
  after: T,
  shown: (value: T) => object = (value) => value,
): Mutation {
  const differing = changedFields(before.value, after, Object.keys(after) as (keyof T & string)[])
  const [was, is] = [shown(before.value), shown(after)] as Record<string, AuditChange['before']>[]
  return {
    action: kind.updated,
    resource: { type: kind.resource, id: orgId },
    result: 'success',
    diff: differing.map(({ field }) => ({ field, before: was?.[field], after: is?.[field] })),
    writes: [writeDocument(kind, orgId, after, before.version)],
  }
}

/**
 * The write of a document, on the condition that the read version is still stored. `beside` is stored beside the value.
 */
export const writeDocument = <T extends object>(
  kind: DocumentKind<T>,
  orgId: string,
  value: T,
  readVersion: number,
  beside: Record<string, string> = {},
) =>
  putIf(
    { ...documentKey(kind, orgId), ...beside, value, version: readVersion + 1 },
    readVersion === 0
      ? { ConditionExpression: 'attribute_not_exists(pk)' }
      : { ConditionExpression: 'version = :read', ExpressionAttributeValues: { ':read': readVersion } },
    () => new StaleReadError('another request changed the settings since they were read'),
  )
