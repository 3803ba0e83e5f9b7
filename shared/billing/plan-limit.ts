/** Refusing requests that need a higher plan. */
import { ProblemError } from '../problem.ts'
import { cheapestPlan, type PlanFeature } from './plans.ts'
import { readPlan } from './rows.ts'

/**
 * Checks that the org's plan has the features that a request needs. Reads the plan only if the request needs one.
 *
 * @param wanted the feature that each field of the request needs
 * @throws ProblemError `plan_limit_reached`, naming each field and the plan that has the feature
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

/** A 402 that names each field above the plan. */
export const planLimit = (faults: readonly { path: string; message: string }[]): ProblemError =>
  new ProblemError('plan_limit_reached', faults.map(({ path, message }) => `${path} ${message}`).join('; '), {
    errors: faults.map((fault) => ({ ...fault, code: 'plan_limit' })),
  })
