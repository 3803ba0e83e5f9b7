/** Thresholds: the first use at 80 % and at 100 % of a limit in a month is an event of the audit trail. */
import type { RequestContext } from '../audit/request-context.ts'
import { log } from '../runtime/log.ts'
import { realTiming, type Timing } from '../runtime/timing.ts'
import { commit, type Mutation } from '../storage/commit.ts'
import { updateIf } from '../table/writes.ts'
import type { Metric } from '../usage-limits/record.ts'
import { attributes, type Month, monthKey, usedOf } from './month.ts'
import type { EffectiveLimits } from './standing.ts'

const thresholds = [80, 100] as const

interface Reached {
  month: string
  metric: Metric
  percent: number
  used: number
  limit: number
}

/** Another request appended the event of this threshold. */
class AlreadyReachedError extends Error {}

/** Appends the events of thresholds that months have reached. If that fails, the next request with the metric does it. */
export async function reachThresholds(
  months: Iterable<Month>,
  metrics: Iterable<Metric>,
  limits: EffectiveLimits,
  context: RequestContext,
  deadline: Date,
  timing: Timing = realTiming,
): Promise<void> {
  for (const reached of reachedIn([...months], [...metrics], limits)) {
    try {
      await commit(thresholdReached(reached, context), context, deadline, timing)
    } catch (error) {
      if (error instanceof AlreadyReachedError) continue
      // The usage is counted. A failed request would be sent again, and count twice.
      log.error('the event of a threshold was not appended', { org_id: context.orgId, error: error as Error })
      return
    }
  }
}

const reachedIn = (months: readonly Month[], metrics: readonly Metric[], limits: EffectiveLimits): Reached[] =>
  months.flatMap((month) =>
    metrics.flatMap((metric) =>
      thresholds.flatMap((percent) => {
        const [used, { limit }] = [usedOf(month, metric), limits[metric]]
        const isKnown = !month.isStored || attributes.reached(metric, percent) in month.values
        if (isKnown || limit === null || used === 0 || used < (limit * percent) / 100) return []
        return [{ month: month.month, metric, percent, used, limit }]
      }),
    ),
  )

function thresholdReached({ month, metric, percent, used, limit }: Reached, { orgId, now }: RequestContext): Mutation {
  return {
    action: 'usage.threshold_reached',
    resource: { type: 'usage_metric', id: metric },
    result: 'success',
    actor: { type: 'system', id: 'usage' },
    diff: [
      { field: 'threshold_percent', after: percent },
      { field: 'used', after: used },
      { field: 'limit', after: limit },
    ],
    writes: [
      updateIf(
        monthKey(orgId, month),
        {
          UpdateExpression: 'SET #reached = :now',
          ConditionExpression: 'attribute_exists(pk) AND attribute_not_exists(#reached)',
          ExpressionAttributeNames: { '#reached': attributes.reached(metric, percent) },
          ExpressionAttributeValues: { ':now': now.getTime() },
        },
        () => new AlreadyReachedError(),
      ),
    ],
  }
}
