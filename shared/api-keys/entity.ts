/**
 * API keys in the table. Two rows a key: the record in its org's partition, which every request with the key reads
 * consistently, and the look-up row under the hash of the raw key, which never changes and says whose key it is and how
 * often it may be used. The hash is nowhere else. So a revocation is one write, and the next request sees it.
 */

import type { Actor } from '../audit/event.ts'
import { changedFields, createdFields } from '../audit/event.ts'
import { generateRawKey, hashRawKey } from '../auth/api-key.ts'
import { newId } from '../ids.ts'
import { notFound, ProblemError } from '../problem.ts'
import { remember } from '../remember.ts'
import { type Change, StaleReadError } from '../storage/commit.ts'
import {
  change,
  type Filter,
  getRow,
  insert,
  orgPartition,
  queryPage,
  type Row,
  type RowKey,
  updateRow,
  type Write,
} from '../table/table.ts'
import { type KeyDefinition, type KeyRecord, type KeyState, keyState, type StoredKey, toRecord } from './record.ts'

export const recordPrefix = 'KEY#'
const recordKey = (orgId: string, keyId: string): RowKey => ({ pk: orgPartition(orgId), sk: recordPrefix + keyId })
const lookupKey = (hash: string): RowKey => ({ pk: `KEYHASH#${hash}`, sk: 'KEYHASH' })

export interface IssuedKey {
  key: StoredKey
  rawKey: string
}

/** A new key with its raw value; nothing is stored yet. */
export function issueKey(
  definition: KeyDefinition,
  createdBy: Actor,
  now: Date,
  rotatedFrom: string | null = null,
): IssuedKey {
  const { rawKey, prefix } = generateRawKey(definition.key_type, definition.environment)
  const key: StoredKey = {
    id: newId('key'),
    name: definition.name,
    key_type: definition.key_type,
    prefix,
    scopes: [...definition.scopes],
    environment: definition.environment,
    federation_id: definition.federation_id ?? null,
    model_id: definition.model_id ?? null,
    app_id: definition.app_id ?? null,
    allowed_origins: [...new Set(definition.allowed_origins)],
    allowed_app_ids: [...(definition.allowed_app_ids ?? [])],
    rate_limit_per_minute: definition.rate_limit_per_minute ?? null,
    created_at: now.toISOString(),
    created_by: createdBy,
    expires_at: definition.expires_at ?? null,
    last_used_at: null,
    revoked_at: null,
    retiring: false,
    revoked_reason: null,
    rotated_from: rotatedFrom,
    rotated_to: null,
  }
  return { key, rawKey }
}

/** The change that stores a new key; `count` is the write of `countIssued`. */
export const keyCreated = (orgId: string, { key, rawKey }: IssuedKey, count: Write): Change => ({
  action: 'api_key.created',
  resource: { type: 'api_key', id: key.id, name: key.name },
  result: 'success',
  changes: createdFields(key, recordedFields),
  writes: [...insertKey(orgId, { key, rawKey }), count],
})

const recordedFields = [
  'name',
  'key_type',
  'prefix',
  'scopes',
  'environment',
  'federation_id',
  'model_id',
  'app_id',
  'allowed_origins',
  'allowed_app_ids',
  'rate_limit_per_minute',
  'expires_at',
] as const

/** The rows of a new key. */
export const insertKey = (orgId: string, { key, rawKey }: IssuedKey) => [
  insert({ ...recordKey(orgId, key.id), ...key }),
  insert({
    ...lookupKey(hashRawKey(rawKey)),
    org_id: orgId,
    key_id: key.id,
    ...(key.rate_limit_per_minute === null ? {} : { rate_limit_per_minute: key.rate_limit_per_minute }),
  }),
]

/** The change that puts `replacement` in the place of `key`, which goes on working until `retiredAt`; `count` as for `keyCreated`. */
export const keyRotated = (
  orgId: string,
  key: StoredKey,
  replacement: IssuedKey,
  retiredAt: string,
  now: Date,
  count: Write,
): Change => ({
  action: 'api_key.rotated',
  resource: { type: 'api_key', id: key.id, name: key.name },
  result: 'success',
  changes: [
    { field: 'revoked_at', before: null, after: retiredAt },
    { field: 'rotated_to', before: null, after: replacement.key.id },
  ],
  writes: [
    change(
      recordKey(orgId, key.id),
      {
        UpdateExpression: 'SET revoked_at = :retired, retiring = :retiring, rotated_to = :replacement',
        ConditionExpression:
          'attribute_exists(pk) AND revoked_at = :none AND (expires_at = :none OR expires_at > :now)',
        ExpressionAttributeValues: {
          ':retired': retiredAt,
          ':retiring': retiredAt > now.toISOString(),
          ':replacement': replacement.key.id,
          ':none': null,
          ':now': now.toISOString(),
        },
      },
      (existing) => notRotatable(existing ? keyState(existing as StoredKey, now) : 'revoked'),
    ),
    ...insertKey(orgId, replacement),
    count,
  ],
})

/** Only an active key can be rotated. */
export const notRotatable = (state: KeyState): ProblemError =>
  new ProblemError('conflict', `The key is ${state}; only an active key can be rotated. Create a new one instead.`)

/** The change that revokes a key at once, and the key as it is then. */
export function keyRevoked(orgId: string, key: StoredKey, reason: string | null, now: Date) {
  const revoked: StoredKey = { ...key, revoked_at: now.toISOString(), retiring: false, revoked_reason: reason }
  const revocation: Change = {
    action: 'api_key.revoked',
    resource: { type: 'api_key', id: key.id, name: key.name },
    result: 'success',
    changes: changedFields(key, revoked, ['revoked_at', 'revoked_reason']),
    writes: [
      change(
        recordKey(orgId, key.id),
        {
          UpdateExpression: 'SET revoked_at = :now, retiring = :false, revoked_reason = :reason',
          ConditionExpression: 'attribute_exists(pk) AND revoked_at = :before AND retiring = :wasRetiring',
          ExpressionAttributeValues: {
            ':false': false,
            ':wasRetiring': key.retiring,
            ':now': revoked.revoked_at,
            ':reason': reason,
            ':before': key.revoked_at,
          },
        },
        () => new StaleReadError('the key was revoked or rotated since it was read'),
      ),
    ],
  }
  return { change: revocation, revoked }
}

/** @throws ProblemError `not_found` */
export async function getKey(orgId: string, keyId: string): Promise<StoredKey> {
  const key = await findKey(orgId, keyId)
  if (!key) throw notFound()
  return key
}

/** The key, or undefined when there is none: for authentication, to which that is an answer and no error. */
export async function findKey(orgId: string, keyId: string): Promise<StoredKey | undefined> {
  const row = await getRow(recordKey(orgId, keyId))
  return row && toKey(row)
}

const toKey = ({ pk: _pk, sk: _sk, ...key }: Row): StoredKey => key as unknown as StoredKey

export interface KeyFilter {
  key_type?: string | undefined
  environment?: string | undefined
  state?: KeyState | undefined
}

/** Keys of an org, newest first. */
export async function listKeys(
  orgId: string,
  filter: KeyFilter,
  page: { limit: number; after: string | undefined; now: Date },
): Promise<{ data: KeyRecord[]; next: string | undefined }> {
  const { rows, next } = await queryPage({
    partition: orgPartition(orgId),
    prefix: recordPrefix,
    newestFirst: true,
    limit: page.limit,
    after: page.after,
    filter: keyFilter(filter, page.now),
  })
  return { data: rows.map((row) => toRecord(toKey(row), page.now)), next }
}

/** The states of `keyState` in DynamoDB's words; a comparison of null with a time is false there. */
const isRevoked = '(revoked_at <> :none AND retiring = :false) OR revoked_at <= :now'
const stateConditions: Record<KeyState, string> = {
  active: 'revoked_at = :none AND (expires_at = :none OR expires_at > :now)',
  retiring: 'retiring = :true AND revoked_at > :now AND (expires_at = :none OR expires_at > :now)',
  revoked: `(${isRevoked})`,
  expired: `(NOT (${isRevoked})) AND expires_at <= :now`,
}

/** The keys that still work. */
export const usableKeys = (now: Date): Filter => ({
  expression: `(${stateConditions.active}) OR (${stateConditions.retiring})`,
  names: {},
  values: { ':none': null, ':true': true, ':now': now.toISOString() },
})

function keyFilter({ key_type, environment, state }: KeyFilter, now: Date): Filter | undefined {
  const conditions: string[] = []
  const values: Record<string, unknown> = {}
  if (key_type) {
    conditions.push('key_type = :keyType')
    values[':keyType'] = key_type
  }
  if (environment) {
    conditions.push('environment = :environment')
    values[':environment'] = environment
  }
  if (state) {
    const condition = stateConditions[state]
    conditions.push(condition)
    const used = { ':none': null, ':true': true, ':false': false }
    for (const [name, value] of Object.entries(used)) if (condition.includes(name)) values[name] = value
    values[':now'] = now.toISOString()
  }
  return conditions.length === 0 ? undefined : { expression: conditions.join(' AND '), names: {}, values }
}

/**
 * The look-up rows this process has seen. They never change, so they need no expiry; whether the key still works is
 * read from its record each time.
 */
const lookups = new Map<string, KeyOwner>()
const maxLookups = 1000

export interface KeyOwner {
  orgId: string
  keyId: string
  /** The key's own limit, where it has one. */
  rateLimitPerMinute: number | undefined
}

/** Whose key a raw key is; undefined for one that was never issued. */
export async function lookUpKey(rawKey: string): Promise<KeyOwner | undefined> {
  const hash = hashRawKey(rawKey)
  const known = lookups.get(hash)
  if (known) return known
  const row = await getRow(lookupKey(hash))
  if (!row) return undefined
  const owner = {
    orgId: row.org_id as string,
    keyId: row.key_id as string,
    rateLimitPerMinute: row.rate_limit_per_minute as number | undefined,
  }
  remember(lookups, hash, owner, maxLookups)
  return owner
}

/** A key's `last_used_at` is written at most this often, so that reads stay reads; it lags by no more. */
const stampEveryMs = 4 * 60 * 1000
/** A request does not wait longer for what it can do without. */
const stampTimeoutMs = 1000

/** Notes that a key is used, when the last note is old enough. Losing one to a concurrent change does no harm. */
export async function stampLastUsed(orgId: string, key: StoredKey, now: Date): Promise<void> {
  if (key.last_used_at !== null && now.getTime() - Date.parse(key.last_used_at) < stampEveryMs) return
  await updateRow(
    recordKey(orgId, key.id),
    {
      UpdateExpression: 'SET last_used_at = :now',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeValues: { ':now': now.toISOString() },
    },
    AbortSignal.timeout(stampTimeoutMs),
  )
}
