/** What an org's settings demand of whoever calls: an address, a second factor, a session that is young enough. */
import { BlockList, isIPv6 } from 'node:net'
import type { Caller, UserCaller } from '../auth/caller.ts'
import { setBounded } from '../bounded-map.ts'
import { ProblemError } from '../problem.ts'
import { readOrgSettings } from './entity.ts'
import type { OrgSettings } from './record.ts'

/** Settings are read again when they are older than this. */
const cacheMs = 60_000
const maxCached = 1000
const cached = new Map<string, { settings: Promise<OrgSettings>; until: number }>()

/** The settings of an org, at most 60 seconds old. An org without a record has the defaults. */
export function rulesOf(orgId: string, now: Date): Promise<OrgSettings> {
  const known = cached.get(orgId)
  if (known && known.until > now.getTime()) return known.settings
  const settings = readOrgSettings(orgId).then(({ value }) => value)
  // What could not be read is asked for again by the next request.
  settings.catch(() => cached.delete(orgId))
  setBounded(cached, orgId, { settings, until: now.getTime() + cacheMs }, maxCached)
  return settings
}

/** Forgets what this process has read, so that its own change holds for its next request. */
export const forgetRules = (orgId: string): boolean => cached.delete(orgId)

/** Why a person must sign in again; undefined when they need not. */
export function sessionFault(caller: Caller, settings: OrgSettings, now: Date): string | undefined {
  if (caller.kind !== 'user') return undefined
  const hours = settings.session_duration_hours
  const ageSeconds = now.getTime() / 1000 - caller.signedInAt
  return ageSeconds > hours * 3600
    ? `The session is older than the ${hours} hours that this organization allows; sign in again.`
    : undefined
}

/** Why a caller may not come in; undefined when it may. App and publishable keys are out in the field: no address binds them. */
export function admissionFault(caller: Caller, settings: OrgSettings, ip: string | undefined): string | undefined {
  const bound = caller.kind === 'user' || caller.keyType === 'org'
  if (bound && settings.ip_allowlist.length > 0 && !isAllowed(settings.ip_allowlist, ip)) {
    return 'The ip_allowlist of this organization does not hold the address of this request.'
  }
  return caller.kind === 'user' ? factorFault(caller, settings) : undefined
}

/** Why a person must sign in with a second factor; undefined when they need not, or did. */
export function factorFault(
  { usedMfa, role }: Pick<UserCaller, 'usedMfa' | 'role'>,
  settings: Pick<OrgSettings, 'mfa_required' | 'require_mfa_for_admin'>,
): string | undefined {
  if (usedMfa) return undefined
  if (settings.mfa_required) return `This organization demands a second factor at sign-in (mfa_required). ${wayIn}`
  if (settings.require_mfa_for_admin && role !== 'member') {
    return `This organization demands a second factor of owners and admins (require_mfa_for_admin). ${wayIn}`
  }
  return undefined
}

/** The last sentence is for the user pool, whose refreshed tokens may name no factor (ADR 10). */
const wayIn =
  'Set up an authenticator app where you sign in (in a stage with its own user pool: npm run sign-in -- --email <address> --enroll-totp), then sign in with its code. A refreshed token may not count: sign in again.'

/** Where IPv4 begins within IPv6: addresses mapped into ::ffff:0:0/96. */
const mappedPrefix = 96

function isAllowed(ranges: readonly string[], ip: string | undefined): boolean {
  if (ip === undefined) return false
  const list = new BlockList()
  for (const [network = '', prefix] of ranges.map((range) => range.split('/'))) {
    // To a BlockList, ::/0 holds every IPv4 address too; to whoever wrote it, it does not.
    if (!isIPv6(ip) && isIPv6(network) && Number(prefix) < mappedPrefix) continue
    list.addSubnet(network, Number(prefix), isIPv6(network) ? 'ipv6' : 'ipv4')
  }
  return list.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4')
}

/** @throws ProblemError `conflict` when the caller itself could not come in under `settings` */
export function refuseLockout(caller: Caller, settings: OrgSettings, ip: string | undefined, now: Date): void {
  const fault = sessionFault(caller, settings, now) ?? admissionFault(caller, settings, ip)
  if (!fault) return
  throw new ProblemError(
    'conflict',
    `This would shut you out: ${fault} Send allow_lockout: true to do it all the same.`,
  )
}
