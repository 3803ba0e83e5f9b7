/** Governance settings of an organization. */

import * as z from 'zod'
import { changeAccess, readAccess } from '../../shared/access.ts'
import { operation } from '../../shared/http/operation.ts'
import { patchBody } from '../../shared/http/patch.ts'
import { lazy } from '../../shared/lazy.ts'
import type { Identity } from '../../shared/org-auth/identity.ts'
import { presetNames } from '../../shared/org-settings/presets.ts'
import { orgSettingsFields, orgSettingsSchema } from '../../shared/org-settings/record.ts'
import { clearable } from '../../shared/patch-fields.ts'
import { settingsUpdate, settingsView } from './wire.ts'

const tag = 'Organization settings'

const patchFields = lazy(() => {
  const fields = orgSettingsFields()
  return {
    ...fields,
    ip_allowlist: clearable(fields.ip_allowlist, []).meta({
      description: 'Address ranges from which people and org keys may call. Empty or null: any.',
    }),
  }
})

const settingsPatch = settingsUpdate(() => z.object(patchFields()).partial())

export const getCompliancePreset = operation({
  id: 'settings.get-compliance-preset',
  route: 'GET /api/v2/settings/compliance/{preset}',
  tag,
  scope: 'settings:read',
  summary: 'Get a compliance preset',
  description:
    'Returns the settings that a standard requires. Send them to *Update organization settings*. Changes nothing.',
  request: () => ({
    params: z.object({ preset: z.enum(presetNames).meta({ description: 'The standard: hipaa, gdpr, pci or soc2.' }) }),
  }),
  answers: () => ({
    200: z
      .object({
        audit_retention_days: z.int(),
        require_mfa_for_admin: z.boolean(),
        require_admin_approval: z.boolean(),
        auto_rollback_enabled: z.boolean(),
        protect_production: z.boolean(),
      })
      .meta({ id: 'CompliancePreset' }),
  }),
  published: [{ id: 'settings.compliance.get', records: { answer: 'UpdateSettingsRequest' } }],
  refusals: ['not_found'],
  access: readAccess,
})

/** A change of the sign-in mode. Only the published face sends it with the settings. */
export interface IdentityWish {
  identity?: Identity
}

export const getOrgSettings = operation({
  id: 'settings.get',
  route: 'GET /api/v2/settings',
  tag,
  scope: 'settings:read',
  summary: 'Get organization settings',
  description: 'Returns the governance settings. The first read of an organization stores the defaults.',
  answers: () => ({ 200: orgSettingsSchema() }),
  published: [
    { id: 'settings.get', records: { answer: 'OrgSettingsResponse' }, wire: settingsView },
    {
      id: 'org_settings.get',
      route: 'GET /api/v1/settings/{org_id}',
      records: { answer: 'OrgSettingsResponse' },
      wire: settingsView,
    },
  ],
  access: changeAccess,
})

export const updateOrgSettings = operation({
  id: 'settings.update',
  route: 'PATCH /api/v2/settings',
  tag,
  scope: 'settings:write',
  summary: 'Update organization settings',
  description:
    'Changes the fields in the body. `ip_allowlist`, `mfa_required`, `require_mfa_for_admin` and `session_duration_hours` take effect within 60 seconds. A change that would lock out the caller is refused with 409, unless `allow_lockout` is true. `hipaa_mode` requires plan enterprise (402).',
  request: () => ({
    body: patchBody(patchFields(), {
      allow_lockout: z.boolean().optional().meta({ description: 'Apply the change even if it locks out the caller.' }),
    }),
  }),
  answers: () => ({ 200: orgSettingsSchema() }),
  published: [
    {
      id: 'settings.update',
      records: { request: 'UpdateSettingsRequest', answer: 'OrgSettingsResponse' },
      wire: settingsPatch,
    },
    {
      id: 'org_settings.update',
      route: 'PUT /api/v1/settings/{org_id}',
      records: { request: 'UpdateSettingsRequest', answer: 'OrgSettingsResponse' },
      wire: settingsPatch,
    },
  ],
  refusals: ['conflict', 'plan_limit_reached'],
  access: changeAccess,
  audit: { action: 'org_settings.updated', resource: 'org_settings' },
})
