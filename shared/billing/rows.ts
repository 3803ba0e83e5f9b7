/**
 * The billing row of an org: the override of its plan, its Stripe customer, and the projection of its subscriptions. Each is
 * one attribute, so writing one never changes another.
 */
import { getRow } from '../table/read.ts'
import { fromRow, orgPartition, type RowKey } from '../table/rows.ts'
import { type Billing, type PlanOverride, planOf } from './current-plan.ts'
import type { Plan } from './plans.ts'
import type { BillingProjection } from './projection.ts'

export const billingKey = (orgId: string): RowKey => ({ pk: orgPartition(orgId), sk: 'BILLING' })

interface BillingAttributes {
  override?: PlanOverride
  override_version?: number
  customer_id?: string
  projection?: BillingProjection
  checkout_session_id?: string
}

export async function readBilling(orgId: string): Promise<Billing> {
  const row = await getRow(billingKey(orgId))
  const stored: BillingAttributes = row ? fromRow(row) : {}
  return {
    override: stored.override,
    overrideVersion: stored.override_version ?? 0,
    customerId: stored.customer_id,
    projection: stored.projection,
    checkoutSessionId: stored.checkout_session_id,
  }
}

/** The plan of an org at an instant. */
export const readPlan = async (orgId: string, now: Date): Promise<Plan> => planOf(await readBilling(orgId), now).plan

/** The condition that customer and projection are the same as when they were read. */
export const unchangedSince = (customerId: string | undefined, seq: number | undefined) => ({
  ConditionExpression: [
    customerId === undefined ? 'attribute_not_exists(customer_id)' : 'customer_id = :was',
    seq === undefined ? 'attribute_not_exists(#projection)' : '#projection.sync_seq = :read',
  ].join(' AND '),
  ExpressionAttributeNames: { '#projection': 'projection' },
  ExpressionAttributeValues: {
    ...(customerId === undefined ? {} : { ':was': customerId }),
    ...(seq === undefined ? {} : { ':read': seq }),
  },
})
