/**
 * Resources that an org has many of: one versioned row each, a count that limits them, and updates that cannot
 * overwrite concurrent ones.
 */
import { type AuditAction, type AuditChange, changedFields, createdFields, type ResourceType } from '../audit/event.ts'
import { notFound, ProblemError } from '../problem.ts'
import type { PageSpec } from '../table/page-spec.ts'
import { type Filter, queryPage, queryRange } from '../table/query.ts'
import { getRow } from '../table/read.ts'
import { fromRow, orgPartition, type Row, type RowKey } from '../table/rows.ts'
import { insert, putIf, removeIf, updateIf } from '../table/writes.ts'
import { type Mutation, StaleReadError } from './commit.ts'

export interface RecordKind<T extends StoredRecord, View extends object = object> {
  /** Prefix of the sort keys; the record's id follows. */
  prefix: string
  resource: ResourceType
  created: AuditAction
  updated: AuditAction
  deleted: AuditAction
  /** Maximum per org. */
  max: number
  /** The name of the resources, in the plural. */
  plural: string
  /** Values for fields that older rows lack. */
  defaults?: Partial<T>
  /** The view of a record. */
  shown(record: T): View
  /** The fields that an event shows; never a secret. */
  audited(record: T): Record<string, unknown>
}

export interface StoredRecord {
  id: string
  name: string
  created_at: string
  updated_at: string
  /** Counts the writes. An update succeeds only over the version that was read. */
  version: number
}

export const recordKey = ({ prefix }: Pick<RecordKind<never>, 'prefix'>, orgId: string, id: string): RowKey => ({
  pk: orgPartition(orgId),
  sk: prefix + id,
})
export const countKey = ({ prefix }: Pick<RecordKind<never>, 'prefix'>, orgId: string): RowKey => ({
  pk: orgPartition(orgId),
  sk: `COUNT#${prefix}`,
})

const toRecord = <T extends StoredRecord>({ defaults }: RecordKind<T>, row: Row): T => ({
  ...defaults,
  ...fromRow<T>(row),
})

/** @throws ProblemError `not_found` */
export async function getRecord<T extends StoredRecord>(kind: RecordKind<T>, orgId: string, id: string): Promise<T> {
  const row = await getRow(recordKey(kind, orgId, id))
  if (!row) throw notFound()
  return toRecord(kind, row)
}

/** One page, newest first. */
export async function listRecords<T extends StoredRecord>(
  kind: RecordKind<T>,
  orgId: string,
  { limit, after }: PageSpec,
  filter?: Filter,
): Promise<{ data: T[]; next: string | undefined }> {
  const partition = orgPartition(orgId)
  const { rows, next } = await queryPage({ partition, prefix: kind.prefix, newestFirst: true, limit, after, filter })
  return { data: rows.map((row) => toRecord(kind, row)), next }
}

/** All records of an org, newest first. `max` limits their number. */
export async function allRecords<T extends StoredRecord>(kind: RecordKind<T>, orgId: string): Promise<T[]> {
  const rows = await queryRange(orgPartition(orgId), kind.prefix, `${kind.prefix}~`)
  return rows.map((row) => toRecord(kind, row)).reverse()
}

const full = ({ max, plural }: Pick<RecordKind<never>, 'max' | 'plural'>) =>
  new ProblemError('conflict', `An organization can have ${max} ${plural}. Delete one first.`)

/**
 * Checks the limit before other checks. The condition of the create itself holds against concurrent creates.
 *
 * @throws ProblemError `conflict` at the limit
 */
export async function requireRoom<T extends StoredRecord>(kind: RecordKind<T>, orgId: string): Promise<void> {
  const counter = fromRow<{ count: number }>(await getRow(countKey(kind, orgId)))
  if ((counter?.count ?? 0) >= kind.max) throw full(kind)
}

/** The change that creates a record, unless the org is at the limit. */
export function recordCreated<T extends StoredRecord>(kind: RecordKind<T>, orgId: string, record: T): Mutation {
  const visible = kind.audited(record)
  return {
    action: kind.created,
    resource: { type: kind.resource, id: record.id, name: record.name },
    result: 'success',
    diff: createdFields(visible, Object.keys(visible)),
    writes: [
      insert({ ...recordKey(kind, orgId, record.id), ...record }),
      updateIf(
        countKey(kind, orgId),
        {
          UpdateExpression: 'ADD #count :one',
          ConditionExpression: 'attribute_not_exists(#count) OR #count < :max',
          ExpressionAttributeNames: { '#count': 'count' },
          ExpressionAttributeValues: { ':one': 1, ':max': kind.max },
        },
        () => full(kind),
      ),
    ],
  }
}

/** The change from `before` to `after`. A replaced secret counts as changed even if its mask is the same. */
export function recordUpdated<T extends StoredRecord>(
  kind: RecordKind<T>,
  orgId: string,
  before: T,
  after: T,
): Mutation {
  const [was, is] = [kind.audited(before), kind.audited(after)] as Record<string, AuditChange['before']>[]
  const [old, fresh] = [flat(before), flat(after)]
  const differing = changedFields(old, fresh, Object.keys({ ...old, ...fresh }))
  return {
    action: kind.updated,
    resource: { type: kind.resource, id: before.id, name: after.name },
    result: 'success',
    diff: differing
      .filter(({ field }) => was?.[field] !== undefined || is?.[field] !== undefined)
      .map(({ field }) => ({ field, before: was?.[field] ?? null, after: is?.[field] ?? null })),
    writes: [
      putIf(
        { ...recordKey(kind, orgId, before.id), ...after, version: before.version + 1 },
        { ConditionExpression: 'version = :read', ExpressionAttributeValues: { ':read': before.version } },
        stale,
      ),
    ],
  }
}

/** The change that deletes a record. */
export const recordDeleted = <T extends StoredRecord>(kind: RecordKind<T>, orgId: string, record: T): Mutation => ({
  action: kind.deleted,
  resource: { type: kind.resource, id: record.id, name: record.name },
  result: 'success',
  diff: [],
  writes: [
    removeIf(
      recordKey(kind, orgId, record.id),
      { ConditionExpression: 'version = :read', ExpressionAttributeValues: { ':read': record.version } },
      stale,
    ),
    updateIf(countKey(kind, orgId), {
      UpdateExpression: 'ADD #count :minusOne',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeNames: { '#count': 'count' },
      ExpressionAttributeValues: { ':minusOne': -1 },
    }),
  ],
})

const stale = () => new StaleReadError('another request changed the record since it was read')

/** Nested settings by dotted path, without the fields that change with every write. */
function flat(record: StoredRecord): Record<string, unknown> {
  const { version: _version, updated_at: _updatedAt, ...rest } = record
  return Object.fromEntries(
    Object.entries(rest).flatMap(([name, value]) =>
      name === 'config' && typeof value === 'object' && value !== null
        ? Object.entries(value).map(([field, part]) => [`config.${field}`, part])
        : [[name, value]],
    ),
  )
}
