/** Governance settings of an organization. */
import * as z from 'zod'
import { operation } from '../../shared/http/operation.ts'
import { clearable, patchBody } from '../../shared/http/patch.ts'
import { lazy } from '../../shared/lazy.ts'
import { orgSettingsFields, orgSettingsSchema } from '../../shared/org-settings/record.ts'

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

export const getOrgSettings = operation({
  id: 'settings.get',
  route: 'GET /api/v2/settings',
  tag,
  scope: 'settings:read',
  summary: 'Get organization settings',
  description: 'The governance settings. An organization that has none yet gets the defaults, which are written then.',
  answers: () => ({ 200: orgSettingsSchema() }),
  access: { table: ['GetItem', 'PutItem', 'UpdateItem'] },
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
  refusals: ['conflict', 'plan_limit_reached'],
  access: { table: ['GetItem', 'PutItem', 'UpdateItem'] },
  audit: { action: 'org_settings.updated', resource: 'org_settings' },
})
