/** The billing row of an org, and the plan that follows from it at an instant. */
import { type Plan, type PlanCode, plans } from './plans.ts'
import type { BillingProjection } from './projection.ts'

/** A plan that overrides the paid plan of an org. */
export interface PlanOverride {
  plan: PlanCode
  reason: string
  /** The override ends at this time; null: when it is cleared. */
  expires_at: string | null
  set_at: string
  /** Id of the actor who set it. */
  set_by: string
}

/** The billing row as read. */
export interface Billing {
  override: PlanOverride | undefined
  /** Number of changes of the override. */
  overrideVersion: number
  customerId: string | undefined
  projection: BillingProjection | undefined
  /** The last checkout session that the audit trail records as started. */
  checkoutSessionId: string | undefined
}

/** The override in effect at an instant. */
export const activeOverride = ({ override }: Pick<Billing, 'override'>, now: Date): PlanOverride | undefined =>
  override && (override.expires_at === null || override.expires_at > now.toISOString()) ? override : undefined

/** The plan in effect at an instant, and its source. */
export function planOf(billing: Billing, now: Date): { plan: Plan; source: 'default' | 'stripe' | 'override' } {
  const override = activeOverride(billing, now)
  if (override) return { plan: plans[override.plan], source: 'override' }
  const paid = billing.projection?.plan
  return paid ? { plan: plans[paid], source: 'stripe' } : { plan: plans.free, source: 'default' }
}
