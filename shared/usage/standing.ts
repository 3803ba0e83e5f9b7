/** The use of every metric beside its limit: what operations and the introspection of keys show. */
import { readPlan } from '../billing/rows.ts'
import { readDocument } from '../storage/document.ts'
import { usageLimits } from '../usage-limits/entity.ts'
import { type Metric, metrics, toUsageLimitsView, type UsageLimitsView } from '../usage-limits/record.ts'
import { kindOf } from './metrics.ts'
import { daysOf, type Month, readMonth, usedOf } from './month.ts'
import { addMonths, monthOf, startOf } from './period.ts'
import type { UsageView } from './record.ts'

export type EffectiveLimits = UsageLimitsView['limits']
type Mode = EffectiveLimits[Metric]['mode']

export interface Standing {
  used: number
  limit: number | null
  remaining: number | null
  exceeded: boolean
}

/** The limits in effect, under the plan of now. */
export async function readLimits(orgId: string, now: Date): Promise<EffectiveLimits> {
  const [{ value }, plan] = await Promise.all([readDocument(usageLimits, orgId), readPlan(orgId, now)])
  return toUsageLimitsView(value, plan).limits
}

export const standingOf = (used: number, limit: number | null): Standing => ({
  used,
  limit,
  remaining: limit === null ? null : Math.max(0, limit - used),
  exceeded: limit !== null && used > limit,
})

/** This month's usage of every metric, with two or three reads of single rows. Needs `GetItem` and `Query`. */
export async function readUsage(
  orgId: string,
  now: Date,
): Promise<Record<Metric, Standing & { mode: Mode; plan_ceiling: number | null }>> {
  const [limits, month] = await Promise.all([readLimits(orgId, now), readMonth(orgId, monthOf(now.getTime()))])
  return byMetric((metric) => {
    const { limit, mode, plan_ceiling } = limits[metric]
    return { ...standingOf(usedOf(month, metric), limit), mode, plan_ceiling }
  })
}

/** The usage of a month as served. */
export function toUsageView(month: Month, limits: EffectiveLimits): UsageView {
  return {
    period: month.month,
    starts_at: startOf(month.month).toISOString(),
    resets_at: startOf(addMonths(month.month, 1)).toISOString(),
    data: byMetric((metric) => {
      const { limit, mode, plan_ceiling } = limits[metric]
      const standing = standingOf(usedOf(month, metric), limit)
      return { kind: kindOf(metric), ...standing, mode, plan_ceiling, by_day: daysOf(month, metric) }
    }),
  }
}

/** The limits of 49 with their use. */
export const withUsage = (limits: EffectiveLimits, month: Month) =>
  byMetric((metric) => {
    const { used, remaining, exceeded } = standingOf(usedOf(month, metric), limits[metric].limit)
    return { ...limits[metric], used, remaining, exceeded }
  })

/** Every metric of the type is in the list. */
const byMetric = <T>(make: (metric: Metric) => T): Record<Metric, T> =>
  Object.fromEntries(metrics.map((metric) => [metric, make(metric)])) as Record<Metric, T>
