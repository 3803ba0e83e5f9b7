import { resource } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { readOrgAuth } from '../../shared/org-auth/entity.ts'
import { orgSettingsInitialized, readOrgSettings, toOrgSettingsView } from '../../shared/org-settings/entity.ts'
import { getOrgSettings } from './contract.ts'

/** Reads the settings. The first read writes the defaults; concurrent first reads get the same record. */
export const handler = serve(getOrgSettings, async ({ caller, now, commit }) => {
  const [settings, { value: auth }] = await Promise.all([readOrgSettings(caller.orgId), readOrgAuth(caller.orgId)])
  const answer = resource(toOrgSettingsView(settings, auth, now))
  return settings.version === 0 ? commit(orgSettingsInitialized(caller.orgId, now), answer) : answer
})
