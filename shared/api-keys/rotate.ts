/** Rotating API keys. */
import { ProblemError } from '../problem.ts'
import type { Mutation } from '../storage/commit.ts'
import { updateIf } from '../table/writes.ts'
import { type IssuedKey, insertKey } from './issue.ts'
import { type KeyRecord, type KeyState, keyState } from './record.ts'
import { recordKey } from './rows.ts'

/** The change that replaces `key` by `replacement`. `key` works until `retiredAt`. */
export const keyRotated = (
  orgId: string,
  key: KeyRecord,
  replacement: IssuedKey,
  retiredAt: string,
  now: Date,
): Mutation => ({
  action: 'api_key.rotated',
  resource: { type: 'api_key', id: key.id, name: key.name },
  result: 'success',
  diff: [
    { field: 'revoked_at', before: null, after: retiredAt },
    { field: 'rotated_to', before: null, after: replacement.key.id },
  ],
  writes: [
    updateIf(
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
      (existing) => notRotatable(existing ? keyState(existing as KeyRecord, now) : 'revoked'),
    ),
    ...insertKey(orgId, replacement),
  ],
})

/** The error of rotating a key that is not active. */
export const notRotatable = (state: KeyState): ProblemError =>
  new ProblemError('conflict', `The key is ${state}; only an active key can be rotated. Create a new one instead.`)
