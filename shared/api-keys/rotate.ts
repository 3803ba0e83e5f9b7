/** Rotating API keys. */
import { ProblemError } from '../problem.ts'
import { type Mutation, StaleReadError } from '../storage/commit.ts'
import { updateIf } from '../table/writes.ts'
import { type IssuedKey, insertKey } from './issue.ts'
import { type KeyRecord, type KeyState, keyState } from './record.ts'
import { recordKey } from './rows.ts'
import { unchangedSince } from './unchanged-since.ts'

/** The change that replaces `key` by `replacement`. `key` works until `retiredAt`. */
export function keyRotated(
  orgId: string,
  key: KeyRecord,
  replacement: IssuedKey,
  retiredAt: string,
  now: Date,
): Mutation {
  const unchanged = unchangedSince(key)
  return {
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
          ConditionExpression: unchanged.ConditionExpression,
          ExpressionAttributeNames: unchanged.ExpressionAttributeNames,
          ExpressionAttributeValues: {
            ...unchanged.ExpressionAttributeValues,
            ':retired': retiredAt,
            ':retiring': retiredAt > now.toISOString(),
            ':replacement': replacement.key.id,
          },
        },
        (existing) => notReplaced(existing as KeyRecord | undefined, now),
      ),
      ...insertKey(orgId, replacement),
    ],
  }
}

/** A replacement copies the key as it was read: after an edit in between, the rotation starts again. */
function notReplaced(existing: KeyRecord | undefined, now: Date): Error {
  const state = existing ? keyState(existing, now) : 'revoked'
  return state === 'active' ? new StaleReadError('the key was edited since it was read') : notRotatable(state)
}

/** The error of rotating a key that is not active. */
export const notRotatable = (state: KeyState): ProblemError =>
  new ProblemError('conflict', `The key is ${state}; only an active key can be rotated. Create a new one instead.`)
