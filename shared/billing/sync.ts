/**
 * Brings an org's billing projection up to what Stripe says now. Whoever has reason to (an event, a reconcile, the
 * sweep) comes this one way: a lease on (org, customer), a sync number taken before Stripe is read, and a write that only
 * a higher number than the stored one can make. The lease spares Stripe and the table useless work; the number alone keeps
 * the projection right, also when a holder is slower than its lease.
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
  /** The Stripe event that gave reason to it. */
  eventId?: string
  /** In which request, and on whose behalf; without an actor it is the service itself. */
  context: Pick<RequestContext, 'requestId' | 'ip' | 'userAgent'> & Partial<Pick<RequestContext, 'actor'>>
  /** When writing must be over; waiting for the lease ends well before. */
  deadline: Date
}

export interface SyncOutcome {
  /** Whether something that people can see has changed. */
  changed: boolean
  changes: readonly AuditChange[]
  /** What is stored now; undefined when the org is not bound to this customer, and nothing was done. */
  projection: BillingProjection | undefined
}

/** All that a sync does to the world beside the table, whose client is `table()`; a simulation has its own. */
export interface SyncPorts {
  timing: Timing
  /** Every subscription of a customer, whatever its status, as Stripe has it at this moment. */
  readSubscriptions(customerId: string): Promise<readonly SubscriptionState[]>
}

const realPorts: SyncPorts = { timing: realTiming, readSubscriptions }

/** Long enough to read Stripe with its retries and to write; whoever dies with it is waited for so long. */
const leaseMs = 20_000
/** Whoever comes beside another waits for so long before it is told to come back. */
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
  new ProblemError('conflict', 'The subscription is being brought up to date by another request; try again.', {
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
      // Another one has written since. Either its number is higher, which ends this, or it is lower and comes no more.
      if (!(error instanceof StaleReadError)) throw error
    }
  }
}

/** Writes the state over the projection that is stored now, unless that was read from Stripe later than this. */
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
    const change = {
      action: actionOf(source),
      resource: { type: 'billing', id: orgId },
      result: 'success',
      changes,
      writes: [projectionWritten(over, projection)],
    } as const
    await commit(change, { orgId, now, actor: actorOf(source), ...context }, deadline, timing)
  }
  return { changed: changes.length > 0, changes, projection }
}

const actionOf = (source: SyncSource): AuditAction =>
  source === 'sweep' ? 'billing.drift_corrected' : 'billing.subscription_synced'

const actorOf = (source: SyncSource) =>
  ({ type: 'system', id: source === 'sweep' ? 'billing-sweep' : 'stripe' }) as const

/** What a person at our end must look into. */
function warnOf({ subscription_conflict, unknown_price, subscription }: BillingState, { orgId }: SyncRequest): void {
  if (subscription_conflict) log.warn('a customer has more than one live subscription', { org_id: orgId })
  if (unknown_price) {
    log.warn('a subscription is of a price that belongs to no plan', { org_id: orgId, price: subscription?.price?.id })
  }
}
