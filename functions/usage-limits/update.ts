import { planLimit } from '../../shared/billing/plan-limit.ts'
import { readPlan } from '../../shared/billing/rows.ts'
import { commitIfChanged, requireMatch } from '../../shared/http/patch.ts'
import { serve } from '../../shared/http/serve.ts'
import { documentChanged, readDocument } from '../../shared/storage/document.ts'
import { readMonth } from '../../shared/usage/month.ts'
import { monthOf } from '../../shared/usage/period.ts'
import { reachThresholds } from '../../shared/usage/thresholds.ts'
import { usageLimits } from '../../shared/usage-limits/entity.ts'
import { aboveCeiling, metrics, toUsageLimitsView, withLimits } from '../../shared/usage-limits/record.ts'
import { limitsAnswer } from './answer.ts'
import { updateUsageLimits } from './contract.ts'

/** Sets the limits in the body, all or none. A lower limit can reach a threshold. */
export const handler = serve(updateUsageLimits, async ({ caller: { orgId }, body, headers, now, ...call }) => {
  const [before, plan] = await Promise.all([readDocument(usageLimits, orgId), readPlan(orgId, now)])
  requireMatch(headers, toUsageLimitsView(before.value, plan))
  const tooHigh = aboveCeiling(body.limits, plan)
  if (tooHigh.length > 0) throw planLimit(tooHigh)
  const after = withLimits(before.value, body.limits, now)
  const mutation = documentChanged(usageLimits, orgId, before, after)
  const [view, month] = [toUsageLimitsView(after, plan), await readMonth(orgId, monthOf(now.getTime()))]
  const answer = await commitIfChanged(call.commit, mutation, limitsAnswer(view, month))
  await reachThresholds([month], metrics, view.limits, call.context, call.deadline)
  return answer
})
