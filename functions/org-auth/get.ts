import { resource } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { configuredProviders, readOrgAuth } from '../../shared/org-auth/entity.ts'
import { toOrgAuthView, unseenOf } from '../../shared/org-auth/record.ts'
import { getOrgAuth } from './contract.ts'

/** Reads the sign-in settings, with the client secret masked. */
export const handler = serve(getOrgAuth, async ({ caller }) => {
  const { value } = await readOrgAuth(caller.orgId)
  return resource(toOrgAuthView(value, configuredProviders()), unseenOf(value))
})
