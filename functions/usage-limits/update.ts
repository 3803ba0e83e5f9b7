import { planLimit } from '../../shared/billing/plan-limit.ts'
import { readPlan } from '../../shared/billing/rows.ts'
import { resource } from '../../shared/http/answer.ts'
import { commitIfChanged, requireMatch } from '../../shared/http/patch.ts'
import { serve } from '../../shared/http/serve.ts'
import { documentChanged, readDocument } from '../../shared/storage/document.ts'
import { usageLimits } from '../../shared/usage-limits/entity.ts'
import { aboveCeiling, toUsageLimitsView, withLimits } from '../../shared/usage-limits/record.ts'
import { updateUsageLimits } from './contract.ts'

/** Sets the limits in the body, all or none. */
export const handler = serve(updateUsageLimits, async ({ caller, body, headers, now, commit }) => {
  const [before, plan] = await Promise.all([readDocument(usageLimits, caller.orgId), readPlan(caller.orgId, now)])
  requireMatch(headers, toUsageLimitsView(before.value, plan))
  const tooHigh = aboveCeiling(body.limits, plan)
  if (tooHigh.length > 0) throw planLimit(tooHigh)
  const after = withLimits(before.value, body.limits, now)
  const mutation = documentChanged(usageLimits, caller.orgId, before, after)
  return commitIfChanged(commit, mutation, resource(toUsageLimitsView(after, plan)))
})
