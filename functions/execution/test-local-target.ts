import { endCooldown } from '../../shared/execution/health-entity.ts'
import { getTestableTarget, stampVerified } from '../../shared/execution/local-target-entity.ts'
import { probe } from '../../shared/execution/probe.ts'
import { ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { testLocalTarget } from './contract.ts'

/** Asks a runtime whether it is there. */
export const handler = serve(testLocalTarget, async ({ caller: { orgId }, params, now }) => {
  const target = await getTestableTarget(orgId, params.target_id)
  const result = await probe(orgId, target)
  if (result.success) await Promise.all([stampVerified(orgId, target, now), endCooldown(orgId, target.id, now)])
  return ok(result)
})
