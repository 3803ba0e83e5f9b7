/** Issuing API keys. */
import { type Actor, createdFields } from '../audit/event.ts'
import { generateRawKey, hashRawKey } from '../auth/api-key.ts'
import { newId } from '../ids.ts'
import type { Mutation } from '../storage/commit.ts'
import { insert } from '../table/writes.ts'
import type { KeyDefinition, KeyRecord } from './record.ts'
import { lookupKey, recordKey } from './rows.ts'

export interface IssuedKey {
  key: KeyRecord
  rawKey: string
}

/** Makes a new key with its raw value. Stores nothing. */
export function issueKey(
  definition: KeyDefinition,
  createdBy: Actor,
  now: Date,
  rotatedFrom: string | null = null,
): IssuedKey {
  const { rawKey, prefix } = generateRawKey(definition.key_type, definition.environment)
  const key: KeyRecord = {
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

/** The change that stores a new key. */
export const keyCreated = (orgId: string, { key, rawKey }: IssuedKey): Mutation => ({
  action: 'api_key.created',
  resource: { type: 'api_key', id: key.id, name: key.name },
  result: 'success',
  diff: createdFields(key, recordedFields),
  writes: insertKey(orgId, { key, rawKey }),
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
