/** Patches of the override of an org's plan. */
import type { RequestContext } from '../audit/request-context.ts'
import { type InputFault, invalidInput, ProblemError } from '../problem.ts'
import { environment } from '../runtime/environment.ts'
import { storedOwner } from '../stripe/owner.ts'
import type { PlanOverride } from './current-plan.ts'
import type { PlanCode } from './plans.ts'

/**
 * Overrides give plans away for free. A stage must enable them; stages with a live Stripe key cannot.
 *
 * @throws ProblemError `forbidden`
 */
export async function requireOverridesOn(): Promise<void> {
  if (environment('billingOverride') !== 'on') {
    throw new ProblemError(
      'forbidden',
      'This stage does not allow plan overrides. Its operator can enable them with the option billing_override.',
    )
  }
  if ((await storedOwner())?.livemode === true) {
    throw new ProblemError(
      'forbidden',
      'Plan overrides are off: this stage has a live Stripe key. Its operator can set a plan with npm run bootstrap.',
    )
  }
}

interface OverridePatch {
  plan?: PlanCode | null | undefined
  reason?: string | undefined
  expires_at?: string | null | undefined
}

/**
 * The override after a patch; null: cleared.
 *
 * @throws ProblemError `invalid_input`
 */
export function patchedOverride(
  patch: OverridePatch,
  before: PlanOverride | undefined,
  { actor, now }: Pick<RequestContext, 'actor' | 'now'>,
): PlanOverride | null {
  const faults = faultsOf(patch, before)
  if (faults.length > 0) throw invalidInput(faults)
  const plan = patch.plan === undefined ? before?.plan : patch.plan
  if (!plan) return null
  return {
    plan,
    reason: patch.reason ?? before?.reason ?? '',
    expires_at: patch.expires_at === undefined ? (before?.expires_at ?? null) : patch.expires_at,
    set_at: now.toISOString(),
    set_by: actor.id,
  }
}

function faultsOf({ plan, reason, expires_at }: OverridePatch, before: PlanOverride | undefined): InputFault[] {
  if (plan === null) {
    const message = 'must be absent when plan is null, which clears the override'
    return expires_at ? [{ path: 'expires_at', code: 'invalid_value', message }] : []
  }
  if (plan === undefined) {
    const message = 'is required: there is no override yet'
    return before ? [] : [{ path: 'plan', code: 'missing_field', message }]
  }
  return reason === undefined ? [{ path: 'reason', code: 'missing_field', message: 'is required with a plan' }] : []
}
