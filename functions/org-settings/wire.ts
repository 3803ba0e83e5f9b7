/** Organization settings in the records of the published contract. */
import * as z from 'zod'
import { named, optional, wire } from '../../shared/http/published.ts'
import { lazy } from '../../shared/lazy.ts'
import { deviceNetworkPolicies, type OrgSettingsView } from '../../shared/org-settings/record.ts'
import { identityModes, modeInput, publishedMode } from '../org-auth/wire.ts'

const toSettings = (settings: OrgSettingsView, { orgId }: { orgId: string }) => ({
  org_id: orgId,
  audit_retention_days: settings.audit_retention_days,
  require_mfa_for_admin: settings.require_mfa_for_admin,
  require_admin_approval: settings.require_admin_approval,
  auto_rollback_enabled: settings.auto_rollback_enabled,
  protect_production: settings.protect_production,
  identity_mode: publishedMode(settings.primary_identity_mode),
  created_at: settings.created_at,
  updated_at: settings.updated_at,
})

export const settingsView = lazy(() => wire({ toAnswer: toSettings }))

/** `input` is the v2 patch, to which the sign-in mode is added. */
export const settingsUpdate = (input: () => z.ZodObject) =>
  lazy(() =>
    wire({
      body: z.strictObject({
        audit_retention_days: optional(z.int().min(1)),
        require_mfa_for_admin: optional(z.boolean()),
        require_admin_approval: optional(z.boolean()),
        auto_rollback_enabled: optional(z.boolean()),
        protect_production: optional(z.boolean()),
        identity_mode: optional(z.enum(identityModes)),
        device_battery_threshold: optional(z.int().min(0).max(100)),
        device_network_policy: optional(z.enum(deviceNetworkPolicies)),
      }),
      names: { primary_identity_mode: 'identity_mode' },
      input: z.object({ ...input().shape, identity: z.looseObject({}).optional() }),
      toInput: ({ identity_mode, ...rest }) => ({
        ...named(rest),
        ...(identity_mode ? { identity: modeInput(identity_mode) } : {}),
      }),
      toAnswer: toSettings,
    }),
  )
