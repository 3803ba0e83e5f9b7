/**
 * Syncs an org's billing projection with Stripe. Events, reconciles and the sweep all use this path. It takes a lease
 * on (org, customer) and a sync number, and then reads Stripe. The write requires a higher number than the stored one.
 * The lease only saves work. The number alone keeps the projection correct, even if a holder outlives its lease.
 */
import type { AuditAction, AuditChange } from '../audit/event.ts'
import type { RequestContext } from '../audit/request-context.ts'
import { ProblemError } from '../problem.ts'
import { log } from '../runtime/log.ts'
import { realTiming, type Timing } from '../runtime/timing.ts'
import { commit, StaleReadError } from '../storage/commit.ts'
import { withLease } from '../storage/lease.ts'
import { orgPartition, type RowKey } from '../table/rows.ts'
import {
  type BillingProjection,
  type BillingState,
  billingChanges,
  billingStateOf,
  type SubscriptionState,
} from './projection.ts'
import { readBilling } from './rows.ts'
import { readSubscriptions } from './subscriptions.ts'
import { nextSyncSeq, projectionConfirmed, projectionWritten } from './write-projection.ts'

export type SyncSource = BillingProjection['source']

export interface SyncRequest {
  orgId: string
  customerId: string
  source: SyncSource
  /** The Stripe event that caused the sync. */
  eventId?: string
  /** The request that causes the sync. Without an actor, the service itself is the actor. */
  context: Pick<RequestContext, 'requestId' | 'ip' | 'userAgent'> & Partial<Pick<RequestContext, 'actor'>>
  /** The deadline of the write. Waiting for the lease ends well before it. */
  deadline: Date
}

export interface SyncOutcome {
  /** Whether a visible field changed. */
  changed: boolean
  changes: readonly AuditChange[]
  /** The stored projection; undefined if the org is not bound to this customer. Then nothing was done. */
  projection: BillingProjection | undefined
}

/** The side effects of a sync outside the table (its client is `table()`). A simulation replaces them. */
export interface SyncPorts {
  timing: Timing
  /** Every subscription of a customer, of any status, as Stripe has it now. */
  readSubscriptions(customerId: string): Promise<readonly SubscriptionState[]>
}

const realPorts: SyncPorts = { timing: realTiming, readSubscriptions }

/** Long enough to read Stripe with retries and to write. After a holder dies, others wait this long. */
const leaseMs = 20_000
/** How long a second sync waits before it answers `conflict`. */
const waitMs = 6000

const leaseKey = (orgId: string, customerId: string): RowKey => ({
  pk: orgPartition(orgId),
  sk: `LOCK#STRIPE#${customerId}`,
})

/**
 * @throws ProblemError `conflict` with `Retry-After`, when another sync of the customer held the lease for too long
 * @throws ProblemError `upstream_error`, `service_unavailable`, when Stripe fails or the org's chain is too busy
 */
export function syncCustomer(request: SyncRequest, ports: SyncPorts = realPorts): Promise<SyncOutcome> {
  const wait = { ttlMs: leaseMs, waitMs, giveUp: () => Promise.reject(busy()) }
  const key = leaseKey(request.orgId, request.customerId)
  return withLease(key, wait, ports.timing, () => syncUnderLease(request, ports))
}

const busy = () =>
  new ProblemError('conflict', 'Another request is syncing the subscription. Retry.', {
    headers: { 'retry-after': '2' },
    retryable: true,
  })

async function syncUnderLease(request: SyncRequest, ports: SyncPorts): Promise<SyncOutcome> {
  const seq = await nextSyncSeq(request.orgId)
  const state = billingStateOf(await ports.readSubscriptions(request.customerId))
  warnOf(state, request)
  for (;;) {
    try {
      return await project(state, seq, request, ports.timing)
    } catch (error) {
      // Another sync has written since. A higher number ends this loop; a lower one will not write again.
      if (!(error instanceof StaleReadError)) throw error
    }
  }
}

/** Writes the state over the stored projection, unless that one has a higher sync number. */
async function project(
  state: BillingState,
  seq: number,
  { orgId, customerId, source, eventId, context, deadline }: SyncRequest,
  timing: Timing,
): Promise<SyncOutcome> {
  const { customerId: bound, projection: before } = await readBilling(orgId)
  if (bound !== customerId) return { changed: false, changes: [], projection: undefined }
  if (before && before.sync_seq >= seq) return { changed: false, changes: [], projection: before }
  const now = timing.now()
  const projection: BillingProjection = {
    ...state,
    synced_at: now.toISOString(),
    source,
    sync_seq: seq,
    event_id: eventId ?? null,
  }
  const over = { orgId, customerId, readSeq: before?.sync_seq }
  const changes = billingChanges(before, projection)
  if (changes.length === 0) {
    await projectionConfirmed(over, projection)
  } else {
    const mutation = {
      action: actionOf(source),
      resource: { type: 'billing', id: orgId },
      result: 'success',
      diff: changes,
      writes: [projectionWritten(over, projection)],
    } as const
    await commit(mutation, { orgId, now, actor: actorOf(source), ...context }, deadline, timing)
  }
  return { changed: changes.length > 0, changes, projection }
}

const actionOf = (source: SyncSource): AuditAction =>
  source === 'sweep' ? 'billing.drift_corrected' : 'billing.subscription_synced'

const actorOf = (source: SyncSource) =>
  ({ type: 'system', id: source === 'sweep' ? 'billing-sweep' : 'stripe' }) as const

/** Logs problems that an operator must resolve. */
function warnOf({ subscription_conflict, unknown_price, subscription }: BillingState, { orgId }: SyncRequest): void {
  if (subscription_conflict) log.warn('a customer has more than one live subscription', { org_id: orgId })
  if (unknown_price) {
    log.warn('the price of a subscription belongs to no plan', { org_id: orgId, price: subscription?.price?.id })
  }
}
