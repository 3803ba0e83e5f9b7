/** From a service key to its caller. */
import { logUnnoted, stampLastUsed } from '../api-keys/last-used.ts'
import { lookupKey } from '../api-keys/rows.ts'
import { hashRawKey } from '../auth/api-key.ts'
import { operatorId, type ServiceCaller } from '../auth/caller.ts'
import { ProblemError } from '../problem.ts'
import { findServiceKey } from '../service-keys/rows.ts'

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
  const noted = stampLastUsed(lookupKey(hashRawKey(rawKey)), key, now).catch(logUnnoted)
  return {
    orgId: operatorId,
    principal: key.id,
    limit: caller.rateLimitPerMinute,
    caller: Promise.resolve(caller),
    noted,
  }
}
