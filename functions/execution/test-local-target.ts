import { endCooldown } from '../../shared/execution/health-entity.ts'
import { getTestableTarget, stampTested } from '../../shared/execution/local-target-entity.ts'
import { probe } from '../../shared/execution/probe.ts'
import { ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { testLocalTarget } from './contract.ts'

/** Probes a runtime, and stores the verdict. */
export const handler = serve(testLocalTarget, async ({ caller: { orgId }, params, now }) => {
  const target = await getTestableTarget(orgId, params.target_id)
  const result = await probe(orgId, target)
  const ended = result.success ? endCooldown(orgId, target.id, now) : undefined
  await Promise.all([stampTested(orgId, target, result, now), ended])
  return ok(result)
})
