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
      description: 'Address ranges that people and org keys may call from; empty or null: any.',
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
  description: 'Settings that a standard asks for, to be sent to the update of the settings. Nothing is changed.',
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

/** A change of how people sign in, which only the published face sends with the settings. */
export interface IdentityWish {
  identity?: Identity
}

export const getOrgSettings = operation({
  id: 'settings.get',
  route: 'GET /api/v2/settings',
  tag,
  scope: 'settings:read',
  summary: 'Get organization settings',
  description: 'The governance settings. An organization that has none yet gets the defaults, which are written then.',
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
    'Changes the fields that are in the body. `ip_allowlist`, `mfa_required`, `require_mfa_for_admin` and `session_duration_hours` are enforced within 60 seconds; a change that would shut out its own caller is refused with 409 unless `allow_lockout` is true. `hipaa_mode` needs plan enterprise (402).',
  request: () => ({
    body: patchBody(patchFields(), {
      allow_lockout: z.boolean().optional().meta({ description: 'Go ahead even if this shuts out the caller.' }),
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
