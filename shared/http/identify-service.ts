/** From a service key to its caller. */
import { lookupKey } from '../api-keys/rows.ts'
import { hashRawKey } from '../auth/api-key.ts'
import { operatorId, type ServiceCaller } from '../auth/caller.ts'
import { ProblemError } from '../problem.ts'
import { log } from '../runtime/log.ts'
import type { ServiceKeyRecord } from '../service-keys/record.ts'
import { findServiceKey } from '../service-keys/rows.ts'
import { updateRow } from '../table/update.ts'

/** @throws ProblemError `invalid_api_key` */
export async function identifyService(rawKey: string, now: Date) {
  const key = await findServiceKey(rawKey)
  if (!key) throw new ProblemError('invalid_api_key', 'The API key is unknown.')
  if (key.revoked_at !== null) throw new ProblemError('invalid_api_key', 'The API key has been revoked.')
  const caller: ServiceCaller = {
    kind: 'service',
    orgId: operatorId,
    namesOrg: false,
    keyId: key.id,
    name: key.name,
    environment: key.environment,
    scopes: key.scopes,
    rateLimitPerMinute: key.rate_limit_per_minute,
  }
  const noted = stampLastUsed(rawKey, key, now)
  return {
    orgId: operatorId,
    principal: key.id,
    limit: caller.rateLimitPerMinute,
    caller: Promise.resolve(caller),
    noted,
  }
}

const stampEveryMs = 4 * 60 * 1000
/** A request waits no longer than this for the stamp, which it does not need. */
const stampTimeoutMs = 1000

async function stampLastUsed(rawKey: string, { last_used_at }: ServiceKeyRecord, now: Date): Promise<void> {
  if (last_used_at !== null && now.getTime() - Date.parse(last_used_at) < stampEveryMs) return
  await updateRow(
    lookupKey(hashRawKey(rawKey)),
    {
      UpdateExpression: 'SET last_used_at = :now',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeValues: { ':now': now.toISOString() },
    },
    AbortSignal.timeout(stampTimeoutMs),
  ).catch((error: unknown) => log.debug('last_used_at was not stamped', { error: error as Error }))
}
