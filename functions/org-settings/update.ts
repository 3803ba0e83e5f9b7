import { requireFeatures } from '../../shared/billing/entity.ts'
import { resource } from '../../shared/http/answer.ts'
import { commitIfChanged, presentFields, requireMatch } from '../../shared/http/patch.ts'
import { invalidInput } from '../../shared/http/problem.ts'
import { serve } from '../../shared/http/serve.ts'
import { forgetRules, refuseLockout } from '../../shared/org-settings/access-rules.ts'
import { orgSettingsUpdated, readOrgSettings } from '../../shared/org-settings/entity.ts'
import { floorFaults, raisedToFloor } from '../../shared/org-settings/record.ts'
import { updateOrgSettings } from './contract.ts'

/** Applies a patch: the HIPAA floor holds, nobody locks themselves out by accident, and hipaa_mode needs its plan. */
export const handler = serve(updateOrgSettings, async ({ caller, body, headers, ip, now, commit }) => {
  const { allow_lockout, ...fields } = body
  const patch = presentFields(fields)
  const before = await readOrgSettings(caller.orgId)
  const after = { ...before.value, ...patch }
  const faults = floorFaults(patch, after)
  if (faults.length > 0) throw invalidInput(faults)
  requireMatch(headers, before.value)
  const raised = raisedToFloor(after)
  if (!allow_lockout) refuseLockout(caller, raised, ip, now)
  const switchedOn = raised.hipaa_mode && !before.value.hipaa_mode
  await requireFeatures(caller.orgId, now, switchedOn ? { hipaa_mode: 'hipaa_mode' } : {})
  const change = orgSettingsUpdated(caller.orgId, before, raised)
  const answer = await commitIfChanged(commit, change, resource(raised))
  forgetRules(caller.orgId)
  return answer
})
