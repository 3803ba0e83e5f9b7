/**
 * The alternative to `shared/http/authenticate.ts`: one UpdateItem on the key's record that finds it alive, counts the
 * request in the minute's own attribute and stamps `last_used_at`, in one round trip. An expression cannot branch, so a
 * counter that starts anew each minute needs an attribute a minute; the one before is removed on the way.
 */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { lookUpKey } from '../shared/api-keys/find.ts'
import { isIntactRawKey } from '../shared/auth/api-key.ts'
import { ProblemError } from '../shared/problem.ts'
import { orgPartition, type Row } from '../shared/table/rows.ts'
import { updateRow } from '../shared/table/update.ts'

export async function authenticateByUpdate(rawKey: string, now: Date): Promise<Row | undefined> {
  const owner = isIntactRawKey(rawKey) ? await lookUpKey(rawKey) : undefined
  if (!owner) throw new ProblemError('invalid_api_key', 'The API key is unknown.')
  const minute = Math.floor(now.getTime() / 60_000)
  try {
    return await updateRow(
      { pk: orgPartition(owner.orgId), sk: `KEY#${owner.keyId}` },
      {
        UpdateExpression: 'ADD #minute :one SET last_used_at = :now REMOVE #before',
        ConditionExpression:
          'attribute_exists(pk) AND (revoked_at = :none OR revoked_at > :now) AND (expires_at = :none OR expires_at > :now)',
        ExpressionAttributeNames: { '#minute': `rate_${minute}`, '#before': `rate_${minute - 1}` },
        ExpressionAttributeValues: { ':one': 1, ':now': now.toISOString(), ':none': null },
        ReturnValues: 'ALL_NEW',
      },
    )
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error
    throw new ProblemError('invalid_api_key', 'The API key has been revoked.', { cause: error })
  }
}
