/** From the request's credential to a caller, for API keys and JWTs alike. */
import { findKey, type KeyOwner, lookUpKey } from '../api-keys/find.ts'
import { stampLastUsed } from '../api-keys/last-used.ts'
import { type KeyRecord, keyState } from '../api-keys/record.ts'
import { isIntactRawKey, looksLikeRawKey } from '../auth/api-key.ts'
import { type Caller, defaultRateLimitPerMinute, principalOf } from '../auth/caller.ts'
import { verifyJwt } from '../auth/jwt.ts'
import { setBounded } from '../bounded-map.ts'
import { rulesOf, sessionFault } from '../org-settings/access-rules.ts'
import { ProblemError } from '../problem.ts'
import { log } from '../runtime/log.ts'
import type { Exchange } from './exchange.ts'
import { countRequest } from './rate-limit.ts'

/**
 * Sets the exchange's caller, and has the request counted from the moment the principal is known.
 *
 * @throws ProblemError `authentication_failed`, `invalid_api_key`, `token_expired`, `service_unavailable`
 */
export async function authenticate(exchange: Exchange): Promise<void> {
  const credential = readCredential(exchange)
  if (credential.kind === 'api_key') {
    exchange.caller = await keyCaller(credential.token, exchange)
    return
  }
  const caller = await verifyJwt(credential.token)
  exchange.caller = caller
  const { orgId, rateLimitPerMinute: limit } = caller
  exchange.rateCount = countRequest({ orgId, principal: principalOf(caller), limit }, exchange.now)
  const fault = sessionFault(caller, await rulesOf(orgId, exchange.now), exchange.now)
  if (fault) throw new ProblemError('token_expired', fault)
}

/** Three base64url parts: anything else cannot be a JWT. */
const jwtPattern = /^[\w-]+\.[\w-]+\.[\w-]+$/

function readCredential({ headers }: Exchange): { kind: 'api_key' | 'jwt'; token: string } {
  const bearer = /^bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1]
  const key = headers['x-api-key']?.trim()
  if (headers.authorization && !bearer) {
    throw new ProblemError('authentication_failed', 'The Authorization header must read: Bearer <API key or JWT>.')
  }
  if (bearer && key && bearer !== key) {
    throw new ProblemError('authentication_failed', 'Send one credential: Authorization and X-API-Key differ.')
  }
  const token = bearer ?? key
  if (!token) {
    throw new ProblemError(
      'authentication_failed',
      'A credential is needed: Authorization: Bearer <API key or JWT>, or X-API-Key: <API key>.',
    )
  }
  if (looksLikeRawKey(token) || !bearer) return { kind: 'api_key', token }
  if (jwtPattern.test(token)) return { kind: 'jwt', token }
  throw new ProblemError('authentication_failed', 'The bearer token is neither an API key of this service nor a JWT.')
}

async function keyCaller(token: string, exchange: Exchange): Promise<Caller> {
  const { now } = exchange
  if (!isIntactRawKey(token)) {
    throw new ProblemError('invalid_api_key', 'The API key is malformed: a character is wrong or missing.')
  }
  const owner = await lookUpKey(token)
  if (!owner) throw new ProblemError('invalid_api_key', 'The API key is unknown.')
  const dead = deadKeys.get(owner.keyId)
  if (dead) refuseRevoked(dead, now)
  // Side by side: the count needs no more than whose key it is, and its limit.
  if (!dead) countUse(exchange, owner)
  const key = await findKey(owner.orgId, owner.keyId)
  if (!key) throw new ProblemError('invalid_api_key', 'The API key is unknown.')
  refuseDead(key, now)
  // The clock of this process was ahead when it refused the key.
  if (dead) countUse(exchange, owner)
  await stampLastUsed(owner.orgId, key, now).catch((error: unknown) => {
    log.debug('last_used_at was not stamped', { error: error as Error })
  })
  return {
    kind: 'api_key',
    orgId: owner.orgId,
    keyId: key.id,
    keyType: key.key_type,
    scopes: key.scopes,
    rateLimitPerMinute: key.rate_limit_per_minute ?? defaultRateLimitPerMinute,
    environment: key.environment,
    federationId: key.federation_id,
    modelId: key.model_id,
    expiresAt: key.expires_at,
    retiring: key.retiring,
    allowedOrigins: key.allowed_origins,
  }
}

function countUse(exchange: Exchange, { orgId, keyId, rateLimitPerMinute }: KeyOwner): void {
  const limit = rateLimitPerMinute ?? defaultRateLimitPerMinute
  exchange.rateCount = countRequest({ orgId, principal: keyId, limit }, exchange.now)
}

/**
 * Keys that this process has refused. Requests with them are not counted, so that they write nothing, however often they
 * come. A revoked key stays revoked and needs no read either; an expired key can be revoked, which is another answer.
 */
const deadKeys = new Map<string, KeyLife>()
const maxDeadKeys = 1000

type KeyLife = Pick<KeyRecord, 'id' | 'revoked_at' | 'retiring' | 'expires_at'>

function refuseRevoked(life: KeyLife, now: Date): void {
  if (keyState(life, now) === 'revoked') throw new ProblemError('invalid_api_key', 'The API key has been revoked.')
}

function refuseDead({ id, revoked_at, retiring, expires_at }: KeyLife, now: Date): void {
  const life = { id, revoked_at, retiring, expires_at }
  const state = keyState(life, now)
  if (state === 'active' || state === 'retiring') return
  setBounded(deadKeys, id, life, maxDeadKeys)
  refuseRevoked(life, now)
  throw new ProblemError('token_expired', 'The API key has expired.')
}
