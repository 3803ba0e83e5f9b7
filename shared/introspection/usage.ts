/** This month's use of every metric beside its limit. Stands in for recorded usage: every counter is 0. */
import { readPlan } from '../billing/rows.ts'
import { readDocument } from '../storage/document.ts'
import { usageLimits } from '../usage-limits/entity.ts'
import { metrics, toUsageLimitsView } from '../usage-limits/record.ts'
import type { Usage } from './record.ts'

export async function readUsage(orgId: string, now: Date): Promise<Usage> {
  const [{ value }, plan] = await Promise.all([readDocument(usageLimits, orgId), readPlan(orgId, now)])
  const { limits } = toUsageLimitsView(value, plan)
  return Object.fromEntries(
    metrics.map((metric) => {
      const { limit, mode } = limits[metric]
      return [metric, { used: 0, limit, mode, remaining: limit, exceeded: false }]
    }),
  ) as Usage
}
