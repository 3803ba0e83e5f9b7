import { activeOverride } from '../../shared/billing/current-plan.ts'
import { patchedOverride, requireOverridesOn } from '../../shared/billing/override.ts'
import { readBilling } from '../../shared/billing/rows.ts'
import { overrideChanged } from '../../shared/billing/set-override.ts'
import { toBillingView } from '../../shared/billing/view.ts'
import { resource } from '../../shared/http/answer.ts'
import { commitIfChanged, requireMatch } from '../../shared/http/patch.ts'
import { serve } from '../../shared/http/serve.ts'
import { updateBilling } from './contract.ts'

/** Sets, changes or clears the override of the plan. */
export const handler = serve(updateBilling, async ({ caller, body, headers, context, now, commit }) => {
  await requireOverridesOn()
  const before = await readBilling(caller.orgId)
  const override = patchedOverride(body, activeOverride(before, now), context)
  requireMatch(headers, toBillingView(before, now))
  const mutation = overrideChanged(caller.orgId, before, override, now)
  const after = mutation.diff.length === 0 ? before : { ...before, override: override ?? undefined }
  return commitIfChanged(commit, mutation, resource(toBillingView(after, now)))
})
