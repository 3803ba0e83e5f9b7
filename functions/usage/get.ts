import { resource } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { invalidInput } from '../../shared/problem.ts'
import { readMonth } from '../../shared/usage/month.ts'
import { isReadable, monthOf, readableMonths } from '../../shared/usage/period.ts'
import { readLimits, toUsageView } from '../../shared/usage/standing.ts'
import { getUsage } from './contract.ts'

/** Reads the counters of one month. */
export const handler = serve(getUsage, async ({ caller, query, now }) => {
  const { period = monthOf(now.getTime()) } = query
  if (!isReadable(period, now)) {
    const message = `must be this month, or one of the ${readableMonths} before it`
    throw invalidInput([{ path: 'period', code: 'out_of_range', message }])
  }
  const [limits, month] = await Promise.all([readLimits(caller.orgId, now), readMonth(caller.orgId, period)])
  return resource(toUsageView(month, limits))
})
