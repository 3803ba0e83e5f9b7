/** Describes the caller of a request: its organization, principal and rights. */
import { getKey } from '../../shared/api-keys/find.ts'
import { type KeyRecord, toKeyView } from '../../shared/api-keys/record.ts'
import { actorOf, type Caller, orgOf, type UserCaller } from '../../shared/auth/caller.ts'
import { expandScopes } from '../../shared/auth/scopes.ts'
import { readPlan } from '../../shared/billing/rows.ts'
import type { WhoAmI } from '../../shared/introspection/who-am-i.ts'
import { rulesOf, sessionEnd } from '../../shared/org-settings/access-rules.ts'
import { findOrg } from '../../shared/orgs/record.ts'

export async function describeCaller(caller: Caller, now: Date): Promise<WhoAmI> {
  const [org, own] = await Promise.all([describeOrg(orgOf(caller), now), describeOwn(caller, now)])
  const { type, id, email } = actorOf(caller)
  const { name, ...rest } = own
  return {
    org,
    principal: { type: type as WhoAmI['principal']['type'], id, name, ...(email === undefined ? {} : { email }) },
    ...rest,
    scopes: [...expandScopes(caller.scopes)],
    rate_limit_per_minute: caller.rateLimitPerMinute,
  }
}

async function describeOrg(orgId: string | undefined, now: Date): Promise<WhoAmI['org']> {
  if (orgId === undefined) return null
  const [org, plan] = await Promise.all([findOrg(orgId), readPlan(orgId, now)])
  return { id: orgId, name: org?.name ?? null, plan: plan.code }
}

type Own = Omit<WhoAmI, 'org' | 'principal' | 'scopes' | 'rate_limit_per_minute'> & { name: string }

async function describeOwn(caller: Caller, now: Date): Promise<Own> {
  if (caller.kind === 'user') return describeUser(caller, now)
  const noSession = { environment: caller.environment, session_ends_at: null }
  if (caller.kind === 'service') return { ...noSession, name: caller.name, expires_at: null }
  const key = await getKey(caller.orgId, caller.keyId)
  return { ...noSession, name: key.name, key: toKeyView(key, now), expires_at: endOf(key) }
}

const endOf = ({ expires_at, revoked_at, retiring }: KeyRecord): string | null => (retiring ? revoked_at : expires_at)

async function describeUser(caller: UserCaller, now: Date): Promise<Own> {
  const { email, userId, role, expiresAt } = caller
  return {
    name: email ?? userId,
    role,
    environment: null,
    expires_at: expiresAt,
    session_ends_at: sessionEnd(caller, await rulesOf(caller.orgId, now)),
  }
}
