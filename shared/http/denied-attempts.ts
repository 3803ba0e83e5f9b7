/** Denied attempts in the audit trail. A flood writes one event per principal, action and minute. */

import type { RequestContext } from '../audit/request-context.ts'
import { realTiming } from '../runtime/timing.ts'
import { commit, type Mutation } from '../storage/commit.ts'
import { tryLease } from '../storage/lease.ts'
import { orgPartition } from '../table/rows.ts'

const minuteMs = 60_000
/** Longer than a minute, because the clocks of instances differ. */
const markerMs = 3 * minuteMs

/**
 * Records a denied attempt, unless the principal and action already have one in this minute (UTC). The marker is a separate
 * row, so that unrecorded attempts do not contend for rows of other requests.
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
