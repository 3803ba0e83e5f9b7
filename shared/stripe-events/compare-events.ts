/** Finds lost events: Stripe lists them, but they are not marked as processed. */
import { concurrently } from '../runtime/concurrently.ts'
import { emitMetrics } from '../runtime/metrics.ts'
import { stripeEventSchema } from './event.ts'
import type { EventQuery } from './list-events.ts'
import { isProcessed, markProcessed } from './processed-events.ts'
import { ownerOf } from './project.ts'
import type { Customer, SweepRun } from './sweep-run.ts'
import { type Comparison, type SweepState, saveSweepState } from './sweep-state.ts'

/** The time range that is compared again: Stripe can list an event late, and a sync can fail. */
const overlapSeconds = 2 * 60 * 60
/** An older unfinished comparison starts again, since Stripe may have dropped its cursor. */
const comparisonMaxAgeSeconds = 24 * 60 * 60
const pageSize = 100
const readsAtOnce = 8
/** The rest of the time is for customers without events. */
const shareOfTime = 0.5

/** Compares Stripe's events since the last comparison, newest first, page by page. */
export async function compareEvents(sweep: SweepRun, before: SweepState): Promise<SweepState> {
  const { comparison: _before, ...state } = before
  let comparison: Comparison | undefined = comparisonOf(before, sweep)
  while (comparison && !sweep.mustStop(shareOfTime)) {
    const query: EventQuery = { ...comparison, limit: pageSize }
    const page = await sweep.attempt(() => sweep.ports.listEvents(query))
    if (!page || !(await recoverLost(sweep, page.events))) break
    if (!page.next) state.comparedUntil = comparison.until
    comparison = page.next ? { ...comparison, after: page.next } : undefined
    await saveSweepState({ ...state, ...(comparison ? { comparison } : {}) })
  }
  return { ...state, ...(comparison?.after ? { comparison } : {}) }
}

/** The unfinished comparison of an earlier run, or one that starts where the last one ended. */
function comparisonOf({ comparedUntil, comparison }: SweepState, { startedAt, patience }: SweepRun): Comparison {
  const now = Math.floor(startedAt.getTime() / 1000)
  if (comparison && comparison.until > now - comparisonMaxAgeSeconds) return comparison
  const from = comparison?.from ?? (comparedUntil ?? now) - overlapSeconds
  return { from, until: now - patience.settledSeconds }
}

/** Syncs the customers of a page's lost events; false if the time was too short for all. */
async function recoverLost(sweep: SweepRun, page: readonly unknown[]): Promise<boolean> {
  const { summary, ports } = sweep
  return sweep.syncAll(await lostEvents(sweep, page), shareOfTime, async ({ eventIds }) => {
    summary.eventsLost += eventIds.length
    emitMetrics('Stripe events were lost', { StripeEventsLost: eventIds.length }, { event_ids: eventIds })
    for (const eventId of eventIds) await markProcessed(eventId, ports.timing.now())
  })
}

/** The lost events of a page by customer, since one sync covers all events of a customer. */
async function lostEvents({ summary }: SweepRun, page: readonly unknown[]) {
  const lost = new Map<string, Customer & { eventIds: string[] }>()
  const events = page.flatMap((event) => stripeEventSchema().safeParse(event).data ?? [])
  summary.eventsCompared += events.length
  await concurrently(readsAtOnce, events, async (event) => {
    const owner = await ownerOf(event)
    if (!owner || (await isProcessed(event.id))) return
    const known = lost.get(owner.customerId)
    lost.set(owner.customerId, { ...owner, eventIds: [...(known?.eventIds ?? []), event.id] })
  })
  return lost.values()
}
