/** What an org's billing row says, and the plan that follows from it at an instant. */
import { type Plan, type PlanCode, plans } from './plans.ts'
import type { BillingProjection } from './projection.ts'

/** A plan that somebody has put an org on, whatever it pays. */
export interface PlanOverride {
  plan: PlanCode
  reason: string
  /** From then on it is as if there were none; null: until it is cleared. */
  expires_at: string | null
  set_at: string
  /** The id of who set it. */
  set_by: string
}

/** The billing row as read. */
export interface Billing {
  override: PlanOverride | undefined
  /** Counts the changes of the override. */
  overrideVersion: number
  customerId: string | undefined
  projection: BillingProjection | undefined
  /** The last checkout session whose start is in the audit trail. */
  checkoutSessionId: string | undefined
}

/** The override that holds at an instant. */
export const activeOverride = ({ override }: Pick<Billing, 'override'>, now: Date): PlanOverride | undefined =>
  override && (override.expires_at === null || override.expires_at > now.toISOString()) ? override : undefined

/** The plan that holds at an instant, and where it comes from. */
export function planOf(billing: Billing, now: Date): { plan: Plan; source: 'default' | 'stripe' | 'override' } {
  const override = activeOverride(billing, now)
  if (override) return { plan: plans[override.plan], source: 'override' }
  const paid = billing.projection?.plan
  return paid ? { plan: plans[paid], source: 'stripe' } : { plan: plans.free, source: 'default' }
}
