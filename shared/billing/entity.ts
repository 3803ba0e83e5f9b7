/** The billing row of an org: an override of its plan, kept apart from what Stripe says, which is still to come. */
import { ProblemError } from '../http/problem.ts'
import type { Change } from '../storage/commit.ts'
import { getRow, orgPartition, put, type RowKey } from '../storage/table.ts'
import { cheapestPlan, type Plan, type PlanCode, type PlanFeature, plans } from './plans.ts'

const billingKey = (orgId: string): RowKey => ({ pk: orgPartition(orgId), sk: 'BILLING' })

interface PlanOverride {
  plan: PlanCode
  reason: string
  expires_at: string | null
}

/** The plan that an org is on at an instant. */
export async function readPlan(orgId: string, now: Date): Promise<Plan> {
  const row = await getRow(billingKey(orgId))
  const override = row?.override as PlanOverride | undefined
  if (override && (override.expires_at === null || override.expires_at > now.toISOString())) return plans[override.plan]
  return plans.free
}

/** The change that sets the plan of an org that has no billing row yet. */
export const planOverridden = (orgId: string, plan: PlanCode, reason: string): Change => ({
  action: 'billing.override_set',
  resource: { type: 'billing', id: orgId },
  result: 'success',
  changes: [{ field: 'override.plan', after: plan }],
  writes: [put({ ...billingKey(orgId), override: { plan, reason, expires_at: null } satisfies PlanOverride })],
})

/**
 * Holds what a request asks for against the org's plan; the plan is read only when something is asked for.
 *
 * @param wanted the feature that each field of the request needs
 * @throws ProblemError `plan_limit_reached`, naming each field and the plan that has its feature
 */
export async function requireFeatures(
  orgId: string,
  now: Date,
  wanted: Readonly<Record<string, PlanFeature>>,
): Promise<void> {
  const fields = Object.entries(wanted)
  if (fields.length === 0) return
  const plan = await readPlan(orgId, now)
  const missing = fields.filter(([, feature]) => !plan.features.includes(feature))
  if (missing.length === 0) return
  throw planLimit(
    missing.map(([path, feature]) => {
      const needed = cheapestPlan(({ features }) => features.includes(feature))
      return { path, message: `needs the plan ${needed?.code}; the organization is on ${plan.code}` }
    }),
  )
}

/** A 402 that names each field that asks for more than the plan gives. */
export const planLimit = (faults: readonly { path: string; message: string }[]): ProblemError =>
  new ProblemError('plan_limit_reached', faults.map(({ path, message }) => `${path} ${message}`).join('; '), {
    errors: faults.map((fault) => ({ ...fault, code: 'plan_limit' })),
  })
