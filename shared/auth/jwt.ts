/**
 * Verifies JWTs of the stage's OIDC issuer: signature, issuer, audience, time, and the claims about the caller. Loads
 * jose only when a token is a JWT.
 */
import type { JWTPayload, JWTVerifyGetKey } from 'jose'
import { idPattern } from '../ids.ts'
import { ProblemError } from '../problem.ts'
import { environment } from '../runtime/environment.ts'
import { type UserCaller, userCaller } from './caller.ts'
import { isRole } from './scopes.ts'
import { provesSecondFactor } from './second-factor.ts'

/** No shared-secret algorithms: an attacker could sign with the public key as the secret. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const clockToleranceSeconds = 5
const discoveryTimeoutMs = 5000
/** OpenID Connect Core, section 2: a subject has at most 255 ASCII characters; spaces are allowed. */
const isSubject = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= 255 && Buffer.byteLength(value) === value.length

/**
 * Verifies a JWT and returns its caller.
 *
 * @throws ProblemError `token_expired`, `authentication_failed`, or `service_unavailable` when the issuer's keys cannot
 * be read
 */
export async function verifyJwt(token: string): Promise<UserCaller> {
  const [issuer, audience] = [environment('oidcIssuer'), environment('oidcAudience')]
  // Without an audience check, a token for another service of the issuer would be valid here.
  if (!issuer || !audience) throw refused('This stage has no sign-in configured. Use an API key.')
  const payload = await verifyToken(token, issuer, audience)
  const { email, token_use } = payload
  // Cognito names the use of a token. An access token for Cognito's own API is no proof of identity here.
  if (token_use !== undefined && token_use !== 'id') throw refused('The token is not an ID token.')
  return userCaller({
    ...identityOf(payload),
    signedInAt: signedInAtOf(payload),
    expiresAt: new Date((payload.exp ?? 0) * 1000).toISOString(),
    usedMfa: provesSecondFactor(payload),
    ...(typeof email === 'string' ? { email: email.toWellFormed() } : {}),
  })
}

function identityOf(payload: JWTPayload): Pick<UserCaller, 'userId' | 'orgId' | 'role'> {
  const { sub } = payload
  const orgId = payload[environment('oidcOrgClaim') ?? 'org_id']
  const role = payload[environment('oidcRoleClaim') ?? 'role']
  if (!isSubject(sub)) throw refused('The token has no valid sub claim.')
  if (typeof orgId !== 'string' || !idPattern('org').test(orgId)) throw refused('The token has no valid org claim.')
  if (!isRole(role)) throw refused('The token has no valid role claim: owner, admin or member.')
  return { userId: sub, orgId, role }
}

/** Epoch seconds of the sign-in. */
function signedInAtOf(payload: JWTPayload): number {
  refuseAbsurdTimes(payload)
  const signedInAt = (payload.auth_time as number | undefined) ?? payload.iat
  if (signedInAt === undefined) throw refused('The token has no auth_time and no iat claim.')
  return signedInAt
}

/** The year 5138 in epoch seconds. A greater number is in milliseconds. */
const maxEpochSeconds = 1e11

/** Refuses impossible times: a session or token with such a time would never end. */
function refuseAbsurdTimes(payload: JWTPayload): void {
  const latestPast = Date.now() / 1000 + clockToleranceSeconds
  const latest = { iat: latestPast, auth_time: latestPast, exp: maxEpochSeconds, nbf: maxEpochSeconds }
  for (const [name, max] of Object.entries(latest)) {
    const value = payload[name]
    if (value === undefined) continue
    if (typeof value !== 'number' || !(value >= 0 && value <= max)) {
      const rule = max === latestPast ? 'must be a number of seconds, not in the future' : 'must be a number of seconds'
      throw refused(`The ${name} claim of the token ${rule}.`)
    }
  }
}

const refused = (detail: string, cause?: unknown) => new ProblemError('authentication_failed', detail, { cause })

async function verifyToken(token: string, issuer: string, audience: string): Promise<JWTPayload> {
  try {
    const { jwtVerify } = await import('jose/jwt/verify')
    const { payload } = await jwtVerify(token, await issuerKeys(issuer), {
      issuer,
      audience,
      algorithms,
      clockTolerance: clockToleranceSeconds,
      requiredClaims: ['exp'],
    })
    return payload
  } catch (error) {
    if (error instanceof ProblemError) throw error
    const code = joseCode(error)
    if (code === 'ERR_JWT_EXPIRED') throw new ProblemError('token_expired', 'The token has expired. Sign in again.')
    if (code === undefined || issuerFaults.has(code)) throw issuerUnavailable(error)
    throw refused('The token is not a valid token of this service’s issuer.', error)
  }
}

/** Codes of failures to fetch the keys, not of an invalid token. A failed fetch has jose's generic code, or none. */
const issuerFaults = new Set(['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC'])

const joseCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && /^ERR_J/.test(String(error.code)) ? String(error.code) : undefined

const issuerUnavailable = (cause: unknown) =>
  new ProblemError('service_unavailable', 'The service cannot read the keys of the token issuer. Retry later.', {
    headers: { 'retry-after': '5' },
    cause,
  })

let keys: { issuer: string; get: JWTVerifyGetKey } | undefined

/** The issuer's keys. jose caches them and fetches them again for an unknown key id. */
async function issuerKeys(issuer: string): Promise<JWTVerifyGetKey> {
  if (keys?.issuer === issuer) return keys.get
  const jwksUri = environment('oidcJwksUri') ?? (await discoverJwksUri(issuer))
  const { createRemoteJWKSet } = await import('jose/jwks/remote')
  keys = { issuer, get: createRemoteJWKSet(new URL(jwksUri)) }
  return keys.get
}

async function discoverJwksUri(issuer: string): Promise<string> {
  try {
    const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(discoveryTimeoutMs),
    })
    const document: unknown = await response.json()
    const { issuer: named, jwks_uri } = (document ?? {}) as { issuer?: unknown; jwks_uri?: unknown }
    // OpenID Connect Discovery, section 4.3: the document must name the configured issuer.
    if (named !== issuer) throw new Error('discovery names another issuer than the configured one')
    if (typeof jwks_uri === 'string') return jwks_uri
    throw new Error(`discovery answered ${response.status} without jwks_uri`)
  } catch (error) {
    throw issuerUnavailable(error)
  }
}
