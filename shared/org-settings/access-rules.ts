/** The rules of an org's settings for its callers: address, second factor, and age of the session. */
import { BlockList, isIPv6 } from 'node:net'
import type { Caller, UserCaller } from '../auth/caller.ts'
import { setBounded } from '../bounded-map.ts'
import { ProblemError } from '../problem.ts'
import { readOrgSettings } from './entity.ts'
import type { OrgSettings } from './record.ts'

/** Maximum age of cached settings. */
const cacheMs = 60_000
const maxCached = 1000
const cached = new Map<string, { settings: Promise<OrgSettings>; until: number }>()

/** The settings of an org, at most 60 seconds old. An org without a record has the defaults. */
export function rulesOf(orgId: string, now: Date): Promise<OrgSettings> {
  const known = cached.get(orgId)
  if (known && known.until > now.getTime()) return known.settings
  const settings = readOrgSettings(orgId).then(({ value }) => value)
  // The next request retries a failed read.
  settings.catch(() => cached.delete(orgId))
  setBounded(cached, orgId, { settings, until: now.getTime() + cacheMs }, maxCached)
  return settings
}

/** Drops the cached settings, so that a change applies to the next request of this process. */
export const forgetRules = (orgId: string): boolean => cached.delete(orgId)

/** Why a person must sign in again; undefined if they need not. */
export function sessionFault(caller: Caller, settings: OrgSettings, now: Date): string | undefined {
  if (caller.kind !== 'user') return undefined
  const hours = settings.session_duration_hours
  const ageSeconds = now.getTime() / 1000 - caller.signedInAt
  return ageSeconds > hours * 3600
    ? `The session is older than ${hours} hours, the limit of this organization. Sign in again.`
    : undefined
}

/** When a person must sign in again, as ISO 8601: at the latest when the token ends. */
export function sessionEnd({ signedInAt, expiresAt }: UserCaller, settings: OrgSettings): string {
  const end = new Date((signedInAt + settings.session_duration_hours * 3600) * 1000).toISOString()
  return end < expiresAt ? end : expiresAt
}

/**
 * Why a caller is refused; undefined if admitted. Addresses do not bind app and publishable keys, which are used
 * everywhere.
 */
export function admissionFault(caller: Caller, settings: OrgSettings, ip: string | undefined): string | undefined {
  const bound = caller.kind === 'user' || (caller.kind === 'api_key' && caller.keyType === 'org')
  if (bound && settings.ip_allowlist.length > 0 && !isAllowed(settings.ip_allowlist, ip)) {
    return 'The ip_allowlist of this organization does not include your address.'
  }
  return caller.kind === 'user' ? factorFault(caller, settings) : undefined
}

/** Why a person must sign in with a second factor; undefined if not needed, or done. */
export function factorFault(
  { usedMfa, role }: Pick<UserCaller, 'usedMfa' | 'role'>,
  settings: Pick<OrgSettings, 'mfa_required' | 'require_mfa_for_admin'>,
): string | undefined {
  if (usedMfa) return undefined
  if (settings.mfa_required)
    return `This organization requires a second factor at sign-in (mfa_required). ${signInHint}`
  if (settings.require_mfa_for_admin && role !== 'member') {
    return `This organization requires a second factor for owners and admins (require_mfa_for_admin). ${signInHint}`
  }
  return undefined
}

/** The last sentence is about user pools: their refreshed tokens can lack the factor (ADR 10). */
const signInHint =
  'Set up an authenticator app where you sign in (in a stage with its own user pool: npm run sign-in -- --email <address> --enroll-totp), then sign in with its code. A refreshed token may not count: sign in again.'

/** IPv4 addresses are mapped into ::ffff:0:0/96 of IPv6. */
const mappedPrefix = 96

function isAllowed(ranges: readonly string[], ip: string | undefined): boolean {
  if (ip === undefined) return false
  const list = new BlockList()
  for (const [network = '', prefix] of ranges.map((range) => range.split('/'))) {
    // A BlockList counts IPv4 addresses as part of ::/0. The person who wrote ::/0 did not mean them.
    if (!isIPv6(ip) && isIPv6(network) && Number(prefix) < mappedPrefix) continue
    list.addSubnet(network, Number(prefix), isIPv6(network) ? 'ipv6' : 'ipv4')
  }
  return list.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4')
}

/** @throws ProblemError `conflict` when `settings` would refuse the caller itself */
export function refuseLockout(caller: Caller, settings: OrgSettings, ip: string | undefined, now: Date): void {
  const fault = sessionFault(caller, settings, now) ?? admissionFault(caller, settings, ip)
  if (!fault) return
  throw new ProblemError(
    'conflict',
    `This change would lock you out: ${fault} To change it anyway, send allow_lockout: true.`,
  )
}
