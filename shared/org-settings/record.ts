/** The governance settings of an org: fields, defaults, and the minimum that HIPAA mode requires. */
import { isIP } from 'node:net'
import * as z from 'zod'
import { lazy } from '../lazy.ts'
import { identityModeField } from '../org-auth/record.ts'
import { type InputFault, invalidInput } from '../problem.ts'

const cidrField = lazy(() => z.union([z.cidrv4(), z.cidrv6()], { error: ({ input }) => cidrFault(input) }))

/** A single address needs a prefix too. */
function cidrFault(input: unknown): string {
  const version = typeof input === 'string' ? isIP(input) : 0
  const hint = version === 0 ? '' : `; for this one address write ${input}/${version === 4 ? 32 : 128}`
  return `must be a range of addresses in CIDR notation, like 203.0.113.0/24 or 2001:db8::/32${hint}`
}

/** The fields of a request. A view has all of them. */
export const orgSettingsFields = lazy(() => ({
  audit_retention_days: z.int().min(30).max(3650).meta({ description: 'Days that audit events are kept.' }),
  require_mfa_for_admin: z.boolean().meta({ description: 'Owners and admins must sign in with a second factor.' }),
  mfa_required: z.boolean().meta({ description: 'All people must sign in with a second factor.' }),
  require_admin_approval: z.boolean().meta({
    description: 'Changes on the platform need the approval of an admin; stored for other services of the platform.',
  }),
  require_model_approval: z
    .boolean()
    .meta({ description: 'A model needs approval before it is served; stored for other services of the platform.' }),
  auto_rollback_enabled: z
    .boolean()
    .meta({ description: 'A failed rollout is rolled back automatically; stored for other services of the platform.' }),
  session_duration_hours: z.int().min(1).max(720).meta({ description: 'Hours after which people must sign in again.' }),
  reauth_interval_minutes: z.int().min(5).max(1440).meta({
    description:
      'Minutes after which sensitive actions require a new sign-in; stored for other services of the platform.',
  }),
  hipaa_mode: z.boolean().meta({
    description:
      'Needs plan enterprise. Implies audit_retention_days ≥ 2190, session_duration_hours ≤ 8, reauth_interval_minutes ≤ 30 and require_mfa_for_admin. Enabling it adjusts settings that do not comply.',
  }),
  ip_allowlist: z.array(cidrField()).max(100).meta({
    description: 'Address ranges that people and org keys may call from; empty: any.',
  }),
  default_region: z
    .enum(['us', 'eu', 'ap'])
    .meta({ description: 'Default region for storage; stored for other services of the platform.' }),
  protect_production: z
    .boolean()
    .meta({ description: 'Production changes need approval; stored for other services of the platform.' }),
  device_battery_threshold: z.int().min(0).max(100).meta({
    description: 'Battery percentage below which devices do not work; stored for other services of the platform.',
  }),
  device_network_policy: z
    .enum(deviceNetworkPolicies)
    .meta({ description: 'Networks that devices use to load models; stored for other services of the platform.' }),
}))

export const deviceNetworkPolicies = ['any', 'wifi_only', 'cellular_allowed'] as const

export const orgSettingsSchema = lazy(() =>
  z
    .object({
      ...orgSettingsFields(),
      primary_identity_mode: identityModeField().meta({
        description: 'From the sign-in settings; change it there.',
      }),
      created_at: z.iso.datetime(),
      updated_at: z.iso.datetime(),
    })
    .meta({ id: 'OrgSettings', description: 'Governance settings of an organization.' }),
)

export type OrgSettings = z.infer<z.ZodObject<ReturnType<typeof orgSettingsFields>>>
export type OrgSettingsView = z.infer<ReturnType<typeof orgSettingsSchema>>

export const defaultOrgSettings: OrgSettings = {
  audit_retention_days: 365,
  require_mfa_for_admin: false,
  mfa_required: false,
  require_admin_approval: false,
  require_model_approval: false,
  auto_rollback_enabled: false,
  session_duration_hours: 24,
  reauth_interval_minutes: 60,
  hipaa_mode: false,
  ip_allowlist: [],
  default_region: 'us',
  protect_production: false,
  device_battery_threshold: 20,
  device_network_policy: 'any',
}

/** The minimum of HIPAA mode by field: the condition, and a value that meets it. */
const hipaaFloor = {
  audit_retention_days: { holds: (days: number) => days >= 2190, value: 2190, rule: 'at least 2190' },
  session_duration_hours: { holds: (hours: number) => hours <= 8, value: 8, rule: 'at most 8' },
  reauth_interval_minutes: { holds: (minutes: number) => minutes <= 30, value: 30, rule: 'at most 30' },
  require_mfa_for_admin: { holds: (required: boolean) => required, value: true, rule: 'true' },
} as const

const floorFields = Object.keys(hipaaFloor) as (keyof typeof hipaaFloor)[]
// Each rule takes the type of its field. The compiler cannot follow this through the index.
const holds = (settings: OrgSettings, field: keyof typeof hipaaFloor): boolean =>
  (hipaaFloor[field].holds as (value: unknown) => boolean)(settings[field])

/** The fields of `patch` below the minimum, if HIPAA mode is on afterwards. */
export const floorFaults = (patch: Partial<OrgSettings>, after: OrgSettings): InputFault[] =>
  after.hipaa_mode
    ? floorFields
        .filter((field) => patch[field] !== undefined && !holds(after, field))
        .map((field) => ({
          path: field,
          code: 'hipaa_floor',
          message: `must be ${hipaaFloor[field].rule} while hipaa_mode is on; disable hipaa_mode first, or keep this minimum`,
        }))
    : []

/**
 * The settings after a patch, with the minimum of HIPAA mode.
 *
 * @throws ProblemError `invalid_input` for each field of the patch below the minimum
 */
export function patchedSettings(before: OrgSettings, patch: Partial<OrgSettings>): OrgSettings {
  const after = { ...before, ...patch }
  const faults = floorFaults(patch, after)
  if (faults.length > 0) throw invalidInput(faults)
  return raisedToFloor(after)
}

/** Raises the settings to the minimum, if HIPAA mode is on. */
export function raisedToFloor(settings: OrgSettings): OrgSettings {
  if (!settings.hipaa_mode) return settings
  const below = floorFields.filter((field) => !holds(settings, field))
  return { ...settings, ...Object.fromEntries(below.map((field) => [field, hipaaFloor[field].value])) }
}
