/** Denied attempts in the audit trail: the first of each principal, action and minute, so that a flood writes one event. */

import type { RequestContext } from '../audit/request-context.ts'
import { realTiming } from '../runtime/timing.ts'
import { commit, type Mutation } from '../storage/commit.ts'
import { tryLease } from '../storage/lease.ts'
import { orgPartition } from '../table/rows.ts'

const minuteMs = 60_000
/** Longer than the minute, since clocks of instances differ. */
const markerMs = 3 * minuteMs

/**
 * Records a denied attempt unless this minute of the UTC clock has one of the same principal and action. The marker is a
 * row of its own: the attempts that are not recorded never touch a row that other requests need.
 */
export async function recordDenied(
  denied: Mutation,
  context: RequestContext,
  principal: string,
  deadline: Date,
): Promise<void> {
  const minute = new Date(Math.floor(context.now.getTime() / minuteMs) * minuteMs).toISOString()
  const key = { pk: `${orgPartition(context.orgId)}#DENIED#${principal}`, sk: `${denied.action}#${minute}` }
  const marker = await tryLease(key, markerMs, realTiming)
  if (!marker) return
  try {
    await commit(denied, context, deadline)
  } catch (error) {
    await marker.release()
    throw error
  }
}
