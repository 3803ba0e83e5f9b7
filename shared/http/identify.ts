/** From the credential of a request to its principal, and then to its caller. The same for API keys and JWTs. */
import { findKey, type KeyOwner, lookUpKey } from '../api-keys/find.ts'
import { logUnnoted, stampLastUsed } from '../api-keys/last-used.ts'
import { type KeyRecord, keyState } from '../api-keys/record.ts'
import { recordKey } from '../api-keys/rows.ts'
import { isIntactRawKey, isServiceKey, looksLikeRawKey } from '../auth/api-key.ts'
import { type Caller, defaultRateLimitPerMinute, type KeyCaller, principalOf } from '../auth/caller.ts'
import { verifyJwt } from '../auth/jwt.ts'
import { setBounded } from '../bounded-map.ts'
import { ProblemError } from '../problem.ts'
import { identifyService } from './identify-service.ts'

type Headers = Readonly<Record<string, string>>

/** Who sent a request, as far as its credential alone says. */
export interface Identity {
  orgId: string
  /** The id within the org: of a key, or of a person. */
  principal: string
  /** Requests per minute that the principal can make. */
  limit: number
  /** The caller in full. For a key, the read of its record is under way; it rejects when the key is no longer usable. */
  caller: Promise<Caller>
  /** Resolves when the use is noted. It never rejects, and no answer depends on it. */
  noted: Promise<void>
}

/**
 * Identifies the sender of a request.
 *
 * @throws ProblemError `authentication_failed`, `invalid_api_key`, `token_expired`, `service_unavailable`
 */
export async function identify(headers: Headers, now: Date): Promise<Identity> {
  const credential = readCredential(headers)
  if (credential.kind === 'api_key') return identifyKey(credential.token, now)
  const caller = await verifyJwt(credential.token)
  const { orgId, rateLimitPerMinute: limit } = caller
  return { orgId, principal: principalOf(caller), limit, caller: Promise.resolve(caller), noted: Promise.resolve() }
}

/** Three base64url parts: anything else cannot be a JWT. */
const jwtPattern = /^[\w-]+\.[\w-]+\.[\w-]+$/

function readCredential(headers: Headers): { kind: 'api_key' | 'jwt'; token: string } {
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

async function identifyKey(token: string, now: Date): Promise<Identity> {
  if (!isIntactRawKey(token)) {
    throw new ProblemError('invalid_api_key', 'The API key is malformed: a character is wrong or missing.')
  }
  if (isServiceKey(token)) return identifyService(token, now)
  const owner = await lookUpKey(token)
  if (!owner) throw new ProblemError('invalid_api_key', 'The API key is unknown.')
  const { orgId, keyId: principal, rateLimitPerMinute: limit = defaultRateLimitPerMinute } = owner
  const dead = deadKeys.get(principal)
  if (dead) refuseRevoked(dead, now)
  const record = usableKey(owner, now)
  // A key that this process refused has no identity until its record says that it works. The clock may have been ahead.
  if (dead) await record
  const noted = record.then((key) => stampLastUsed(recordKey(orgId, key.id), key, now)).catch(logUnnoted)
  return { orgId, principal, limit, caller: record.then((key) => keyCaller(orgId, key)), noted }
}

/** The record of a key that works now. */
async function usableKey(owner: KeyOwner, now: Date): Promise<KeyRecord> {
  const key = await findKey(owner.orgId, owner.keyId)
  if (!key) throw new ProblemError('invalid_api_key', 'The API key is unknown.')
  refuseDead(key, now)
  owner.rateLimitPerMinute = key.rate_limit_per_minute ?? undefined
  return key
}

function keyCaller(orgId: string, key: KeyRecord): KeyCaller {
  return {
    kind: 'api_key',
    orgId,
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

/**
 * Keys that this process has refused. They get no identity, so their requests are not counted and write nothing. A revoked
 * key stays revoked: it needs no read either. An expired key can still be revoked, which is another answer.
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
