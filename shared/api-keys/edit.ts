/** Editing API keys: the fields that a change can set, and the write that loses no concurrent change. */
import { changedFields } from '../audit/event.ts'
import type { Caller } from '../auth/caller.ts'
import { type KeyType, keyTypeScopes, missingScopes, type Scope } from '../auth/scopes.ts'
import { type InputFault, invalidInput, ProblemError } from '../problem.ts'
import { type Mutation, StaleReadError } from '../storage/commit.ts'
import { updateIf } from '../table/writes.ts'
import { requireGrantable, requireNarrower } from './grant.ts'
import { requireOriginsOf } from './origins.ts'
import { type KeyRecord, type KeyState, publishableRateLimitPerMinute } from './record.ts'
import { recordKey } from './rows.ts'
import { editableFields, unchangedSince } from './unchanged-since.ts'

type EditableField = (typeof editableFields)[number]

export type KeyPatch = { [Field in EditableField]?: KeyRecord[Field] | undefined }

/** Fields that belong to some types of keys only. */
const typesWith: Partial<Record<EditableField, readonly KeyType[]>> = {
  scopes: ['org', 'publishable'],
  allowed_origins: ['publishable'],
  allowed_app_ids: ['publishable'],
}

/** The key after a patch. */
export function editedKey(key: KeyRecord, patch: KeyPatch): KeyRecord {
  const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
  const edited: KeyRecord = { ...key, ...given }
  // A publishable key shows its default, which its creation stores too.
  if (edited.rate_limit_per_minute === null && key.key_type === 'publishable')
    edited.rate_limit_per_minute = publishableRateLimitPerMinute
  return edited
}

/** @throws ProblemError `invalid_input` for a field, a scope or an origin that keys of its type do not have */
export function requireFieldsOf(key: KeyRecord, patch: KeyPatch): void {
  const faults = [...foreignFields(key, patch), ...foreignScopes(key, patch)]
  if (faults.length > 0) throw invalidInput(faults)
  requireOriginsOf(editedKey(key, patch))
}

const foreignFields = ({ key_type }: KeyRecord, patch: KeyPatch): InputFault[] =>
  editableFields
    .filter((field) => patch[field] !== undefined && typesWith[field]?.includes(key_type) === false)
    .map((field) => ({ path: field, code: 'invalid_value', message: `cannot be set on keys of the type ${key_type}` }))

function foreignScopes({ key_type }: KeyRecord, { scopes = [] }: KeyPatch): InputFault[] {
  if (key_type === 'app') return []
  const holdable: readonly Scope[] = keyTypeScopes[key_type]
  return [...scopes.entries()]
    .filter(([, scope]) => !holdable.includes(scope))
    .map(([index, scope]) => ({
      path: `scopes.${index}`,
      code: 'invalid_value',
      message: `a ${key_type} key cannot hold ${scope}`,
    }))
}

/**
 * Delegation: an edit adds no right that the caller lacks.
 *
 * @throws ProblemError `forbidden`, naming the right that the caller lacks
 */
export function requireEditor(caller: Caller, key: KeyRecord, edited: KeyRecord): void {
  if (caller.kind === 'api_key' && caller.retiring)
    throw new ProblemError('forbidden', 'A retiring key cannot edit keys. Use the key that replaced it.')
  requireGrantable(caller, missingScopes(edited.scopes, key.scopes))
  requireNarrower(caller, edited)
}

/** The change from `key` to `edited`, with one entry per changed field. */
export function keyEdited(orgId: string, key: KeyRecord, edited: KeyRecord): Mutation {
  const unchanged = unchangedSince(key)
  const update = {
    UpdateExpression: `SET ${editableFields.map((_field, index) => `#f${index} = :new${index}`).join(', ')}`,
    ...unchanged,
    ExpressionAttributeValues: { ...unchanged.ExpressionAttributeValues, ...newValues(edited) },
  }
  const stale = () => new StaleReadError('the key was changed since it was read')
  return {
    action: 'api_key.updated',
    resource: { type: 'api_key', id: key.id, name: edited.name },
    result: 'success',
    diff: changedFields(key, edited, editableFields),
    writes: [updateIf(recordKey(orgId, key.id), update, stale)],
  }
}

const newValues = (edited: KeyRecord) =>
  Object.fromEntries(editableFields.map((field, index) => [`:new${index}`, edited[field] ?? null]))

/** The error of editing a key that is not active. */
export const notEditable = (state: KeyState): ProblemError =>
  new ProblemError('conflict', `The key is ${state}; only an active key can be edited.`)
