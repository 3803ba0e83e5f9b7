import { resource } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { orgSettingsInitialized, readOrgSettings } from '../../shared/org-settings/entity.ts'
import { getOrgSettings } from './contract.ts'

/** Reads the settings, writing the defaults where there are none; two first readers get the same record. */
export const handler = serve(getOrgSettings, async ({ caller, commit }) => {
  const { value, version } = await readOrgSettings(caller.orgId)
  return version === 0 ? commit(orgSettingsInitialized(caller.orgId), resource(value)) : resource(value)
})
