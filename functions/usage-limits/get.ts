import { readPlan } from '../../shared/billing/rows.ts'
import { resource } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { readDocument } from '../../shared/storage/document.ts'
import { usageLimits } from '../../shared/usage-limits/entity.ts'
import { toUsageLimitsView } from '../../shared/usage-limits/record.ts'
import { getUsageLimits } from './contract.ts'

/** The effective limit of every metric under the current plan. */
export const handler = serve(getUsageLimits, async ({ caller, now }) => {
  const [{ value }, plan] = await Promise.all([readDocument(usageLimits, caller.orgId), readPlan(caller.orgId, now)])
  return resource(toUsageLimitsView(value, plan))
})
