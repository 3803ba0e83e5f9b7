/** The answer of both operations: limits with their use, under an ETag that usage does not change. */
import { etagOf, ok } from '../../shared/http/answer.ts'
import type { Month } from '../../shared/usage/month.ts'
import { withUsage } from '../../shared/usage/standing.ts'
import type { UsageLimitsView } from '../../shared/usage-limits/record.ts'

export const limitsAnswer = (view: UsageLimitsView, month: Month) => ({
  ...ok({ limits: withUsage(view.limits, month) }),
  headers: { etag: etagOf(view) },
})
