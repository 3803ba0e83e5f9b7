import { healthOf, windowSeconds } from '../../shared/execution/health.ts'
import { readBuckets, readCooldowns } from '../../shared/execution/health-entity.ts'
import { routing } from '../../shared/execution/routing.ts'
import { readVerifications } from '../../shared/execution/targets.ts'
import { ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { readDocument } from '../../shared/storage/document.ts'
import { getExecutionHealth } from './contract.ts'

/** The live health of every target. The number of queries does not depend on the number of targets. */
export const handler = serve(getExecutionHealth, async ({ caller: { orgId }, now }) => {
  const [targets, buckets, cooldowns, { value }] = await Promise.all([
    readVerifications(orgId),
    readBuckets(orgId, now),
    readCooldowns(orgId),
    readDocument(routing, orgId),
  ])
  const nowMs = now.getTime()
  const data = targets.map(({ target_id, kind, provider, ...verification }) => ({
    ...{ target_id, kind, provider },
    ...healthOf(buckets.get(target_id) ?? [], cooldowns.get(target_id), nowMs),
    ...verification,
  }))
  return ok({ data, routing: value, window_seconds: windowSeconds(nowMs), as_of: now.toISOString() })
})
