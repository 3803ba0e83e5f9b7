/** The answer of an introspection: the key as a resource server sees it, and whether the presented request may proceed. */
import { admitsOrigin } from '../api-keys/origins.ts'
import { type KeyRecord, keyState } from '../api-keys/record.ts'
import { defaultRateLimitPerMinute } from '../auth/caller.ts'
import { expandScopes, missingScopes, type Scope } from '../auth/scopes.ts'
import type { Metric } from '../usage-limits/record.ts'
import type { KeyContext } from './context.ts'
import type { ActiveKey, Denial, InactiveReason, Usage } from './record.ts'

/** How long an answer may be remembered: the published bound on a revocation's way to other services. */
const maxAgeSeconds = 30

/** Why a key is not usable; undefined for a key that is. */
export function inactiveReason(key: KeyRecord | undefined, now: Date): InactiveReason | undefined {
  if (!key) return 'unknown'
  const state = keyState(key, now)
  return state === 'revoked' || state === 'expired' ? state : undefined
}

export const rateLimitOf = (key: KeyRecord): number => key.rate_limit_per_minute ?? defaultRateLimitPerMinute

/** The presented request, as far as its sender described it. */
export interface PresentedRequest {
  required_scope?: Scope | undefined
  origin?: string | undefined
  /** Its place among the key's requests of this minute; undefined if it was not counted. */
  count: number | undefined
}

export function activeKey(
  orgId: string,
  key: KeyRecord,
  context: KeyContext,
  request: PresentedRequest,
  now: Date,
): ActiveKey {
  const scopes = [...expandScopes(key.scopes)]
  const retiresAt = key.retiring ? key.revoked_at : null
  const endMs = Math.min(...[key.expires_at, retiresAt].map((end) => (end === null ? Infinity : Date.parse(end))))
  const deniedBy = denialsOf(key, context, request)
  return {
    active: true,
    scope: scopes.join(' '),
    client_id: key.id,
    sub: key.id,
    token_type: 'Bearer',
    ...(endMs === Infinity ? {} : { exp: Math.floor(endMs / 1000) }),
    iat: Math.floor(Date.parse(key.created_at) / 1000),
    key_id: key.id,
    key_type: key.key_type,
    org_id: orgId,
    environment: key.environment,
    scopes,
    app_id: key.app_id,
    model_id: key.model_id,
    federation_id: key.federation_id,
    allowed_origins: key.allowed_origins,
    allowed_app_ids: key.allowed_app_ids ?? [],
    state: retiresAt === null ? 'active' : 'retiring',
    retires_at: retiresAt,
    rate_limit_per_minute: rateLimitOf(key),
    ...context,
    permitted: deniedBy.length === 0,
    ...(deniedBy.length === 0 ? {} : { denied_by: deniedBy }),
    max_age_seconds: Math.max(0, Math.min(maxAgeSeconds, Math.floor((endMs - now.getTime()) / 1000))),
  }
}

function denialsOf(key: KeyRecord, { usage }: KeyContext, request: PresentedRequest): Denial[] {
  const { required_scope, origin = '', count } = request
  const denies: Record<Denial, boolean> = {
    scope: required_scope !== undefined && missingScopes([required_scope], key.scopes).length > 0,
    origin: origin !== '' && key.allowed_origins.length > 0 && !admitsOrigin(key.allowed_origins, origin),
    rate_limit: count !== undefined && count > rateLimitOf(key),
    usage: usage !== undefined && isUsedUp(key, usage),
  }
  return (Object.keys(denies) as Denial[]).filter((denial) => denies[denial])
}

function isUsedUp({ key_type }: KeyRecord, usage: Usage): boolean {
  const judged: Metric[] =
    key_type === 'publishable' ? ['hosted_requests_monthly'] : ['hosted_requests_monthly', 'api_requests_monthly']
  return judged.some((metric) => {
    const { used, limit, mode } = usage[metric]
    return mode === 'enforce' && limit !== null && used >= limit
  })
}
