import { requireFeatures } from '../../shared/billing/plan-limit.ts'
import { resource } from '../../shared/http/answer.ts'
import { commitIfChanged, requireMatch } from '../../shared/http/patch.ts'
import { serve } from '../../shared/http/serve.ts'
import { readOrgAuth } from '../../shared/org-auth/entity.ts'
import { identityChanged } from '../../shared/org-auth/identity.ts'
import { forgetRules, refuseLockout } from '../../shared/org-settings/access-rules.ts'
import { orgSettingsUpdated, readOrgSettings, toOrgSettingsView } from '../../shared/org-settings/entity.ts'
import { patchedSettings } from '../../shared/org-settings/record.ts'
import { presentFields } from '../../shared/patch-fields.ts'
import { together } from '../../shared/storage/commit.ts'
import { type IdentityWish, updateOrgSettings } from './contract.ts'

/** Applies a patch. Keeps the HIPAA minimum, refuses an accidental lockout, and checks the plan for hipaa_mode. */
export const handler = serve(updateOrgSettings, async ({ caller, body, headers, ip, now, commit }) => {
  const { allow_lockout, identity, ...fields }: typeof body & IdentityWish = body
  const [before, auth] = await Promise.all([readOrgSettings(caller.orgId), readOrgAuth(caller.orgId)])
  const raised = patchedSettings(before.value, presentFields(fields))
  requireMatch(headers, toOrgSettingsView(before, auth.value, now))
  if (!allow_lockout) refuseLockout(caller, raised, ip, now)
  const switchedOn = raised.hipaa_mode && !before.value.hipaa_mode
  await requireFeatures(caller.orgId, now, switchedOn ? { hipaa_mode: 'hipaa_mode' } : {})
  const { mutation, after } = orgSettingsUpdated(caller.orgId, before, raised, now)
  const signIn = identityChanged(caller, auth, identity)
  const answer = resource(toOrgSettingsView(after, signIn.after, now))
  const answered = await commitIfChanged(commit, together(mutation, signIn.mutation), answer)
  forgetRules(caller.orgId)
  return answered
})
