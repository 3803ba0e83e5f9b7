import { healthOf, windowSeconds } from '../../shared/execution/health.ts'
import { readBuckets, readCooldowns } from '../../shared/execution/health-entity.ts'
import { readVerifications } from '../../shared/execution/targets.ts'
import { ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { getExecutionHealth } from './contract.ts'

/** The live health of every target, in as many queries whatever their number. */
export const handler = serve(getExecutionHealth, async ({ caller: { orgId }, now }) => {
  const [targets, buckets, cooldowns] = await Promise.all([
    readVerifications(orgId),
    readBuckets(orgId, now),
    readCooldowns(orgId),
  ])
  const nowMs = now.getTime()
  const data = targets.map(({ target_id, kind, last_verified_at }) => ({
    target_id,
    kind,
    ...healthOf(buckets.get(target_id) ?? [], cooldowns.get(target_id), nowMs),
    last_verified_at,
  }))
  return ok({ data, window_seconds: windowSeconds(nowMs), as_of: now.toISOString() })
})
