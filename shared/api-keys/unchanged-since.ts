/** The condition that a key is as it was read. Edits and rotations need it, so that neither overwrites the other. */
import type { KeyRecord } from './record.ts'

/** The fields that an edit can change. */
export const editableFields = [
  'name',
  'expires_at',
  'rate_limit_per_minute',
  'scopes',
  'allowed_origins',
  'allowed_app_ids',
] as const

/** Names and values start with `f` and `was`. A field that older rows lack must still be absent. */
export function unchangedSince(key: KeyRecord) {
  const fields = [...editableFields, 'revoked_at', 'retiring'] as const
  const compared = fields.map((field, index) => ({ name: `#f${index}`, was: `:was${index}`, field, value: key[field] }))
  const stored = compared.filter(({ value }) => value !== undefined)
  return {
    ConditionExpression: [
      'attribute_exists(pk)',
      ...compared.map(({ name, was, value }) =>
        value === undefined ? `attribute_not_exists(${name})` : `${name} = ${was}`,
      ),
    ].join(' AND '),
    ExpressionAttributeNames: Object.fromEntries(compared.map(({ name, field }) => [name, field])),
    ExpressionAttributeValues: Object.fromEntries(stored.map(({ was, value }) => [was, value])),
  }
}
