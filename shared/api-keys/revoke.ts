/** Revoking API keys. */
import { changedFields } from '../audit/event.ts'
import { type Mutation, StaleReadError } from '../storage/commit.ts'
import { updateIf } from '../table/writes.ts'
import type { KeyRecord } from './record.ts'
import { recordKey } from './rows.ts'

/** The change that revokes a key immediately, and the revoked key. */
export function keyRevoked(orgId: string, key: KeyRecord, reason: string | null, now: Date) {
  const revoked: KeyRecord = { ...key, revoked_at: now.toISOString(), retiring: false, revoked_reason: reason }
  const revocation: Mutation = {
    action: 'api_key.revoked',
    resource: { type: 'api_key', id: key.id, name: key.name },
    result: 'success',
    diff: changedFields(key, revoked, ['revoked_at', 'revoked_reason']),
    writes: [
      updateIf(
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
  return { mutation: revocation, revoked }
}
