import { readPlan } from '../../shared/billing/rows.ts'
import { serve } from '../../shared/http/serve.ts'
import { readDocument } from '../../shared/storage/document.ts'
import { readMonth } from '../../shared/usage/month.ts'
import { monthOf } from '../../shared/usage/period.ts'
import { usageLimits } from '../../shared/usage-limits/entity.ts'
import { toUsageLimitsView } from '../../shared/usage-limits/record.ts'
import { limitsAnswer } from './answer.ts'
import { getUsageLimits } from './contract.ts'

/** The effective limit of every metric under the current plan, and its use. */
export const handler = serve(getUsageLimits, async ({ caller: { orgId }, now }) => {
  const [{ value }, plan, month] = await Promise.all([
    readDocument(usageLimits, orgId),
    readPlan(orgId, now),
    readMonth(orgId, monthOf(now.getTime())),
  ])
  return limitsAnswer(toUsageLimitsView(value, plan), month)
})
