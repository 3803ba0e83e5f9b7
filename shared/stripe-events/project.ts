/**
 * Projects one event. An event only hints that a customer changed; the sync asks Stripe for the change. An event of
 * another deployment is acknowledged and counted. A failure is thrown, so the event is retried.
 */
import * as z from 'zod'
import { findOrgOfCustomer } from '../billing/bind-customer.ts'
import { dropInvoices } from '../billing/invoices.ts'
import { readBilling } from '../billing/rows.ts'
import { type SyncPorts, syncCustomer } from '../billing/sync.ts'
import { idPattern } from '../ids.ts'
import { lazy } from '../lazy.ts'
import type { Run } from '../runtime/background.ts'
import { environment } from '../runtime/environment.ts'
import { emitMetrics } from '../runtime/metrics.ts'
import { realTiming } from '../runtime/timing.ts'
import { isLivemode, stripeSecrets } from '../stripe/secrets.ts'
import { customerOf, isKnownType, type StripeEvent, stripeEventSchema, webhookSource } from './event.ts'
import { isProcessed, markProcessed } from './processed-events.ts'

/** The part of EventBridge's envelope that this service reads. */
const envelopeSchema = lazy(() => z.object({ source: z.string(), detail: stripeEventSchema() }))

/** Why an event is not for this deployment; a dimension of its metric. */
type Refusal = 'malformed' | 'source' | 'account' | 'livemode'

export type ProjectionOutcome = 'projected' | 'duplicate' | 'unknown' | 'refused'

/**
 * @throws ProblemError `conflict`, `upstream_error`, `service_unavailable` when the event must be retried; it is then
 * not marked as processed
 */
export async function project(
  envelope: unknown,
  { requestId, deadline }: Run,
  ports?: SyncPorts,
): Promise<ProjectionOutcome> {
  const parsed = envelopeSchema().safeParse(envelope)
  const ids = { request_id: requestId }
  if (!parsed.success) return refuse('malformed', ids)
  const { source, detail: event } = parsed.data
  const about = { ...ids, event_id: event.id, event_type: event.type }
  const refusal = await refusalOf(source, event)
  if (refusal) return refuse(refusal, about)
  if (!isKnownType(event.type)) return acknowledge('type', about)
  const owner = await ownerOf(event)
  if (!owner) return acknowledge('customer', about)
  if (await isProcessed(event.id)) {
    emitMetrics('Stripe event was projected before', { StripeEventsDuplicate: 1 }, about)
    return 'duplicate'
  }
  const { now } = ports?.timing ?? realTiming
  const request = { ...owner, source: 'event', eventId: event.id, context: { requestId }, deadline } as const
  const { changed, projection } = await syncCustomer(request, ports)
  if (!projection) return acknowledge('customer', about)
  if (event.type.startsWith('invoice.')) await dropInvoices(owner)
  await markProcessed(event.id, now())
  const StripeEventAgeSeconds = Math.max(0, Math.round(now().getTime() / 1000 - event.created))
  emitMetrics(
    'Stripe event projected',
    { StripeEventsProjected: 1, StripeEventAgeSeconds },
    { ...about, org_id: owner.orgId, changed },
  )
  return 'projected'
}

/**
 * Only our receiver and a partner source can put events on the watched buses. This check finds a bus, destination or
 * key that was set up for another account or mode.
 */
async function refusalOf(source: string, { account, livemode }: StripeEvent): Promise<Refusal | undefined> {
  if (source !== webhookSource && source !== environment('stripePartnerSource')) return 'source'
  if (account && account !== environment('stripeAccount')) return 'account'
  const { secretKey } = await stripeSecrets()
  // Without a key the sync fails, and the event waits until there is one.
  return secretKey !== undefined && livemode !== isLivemode(secretKey) ? 'livemode' : undefined
}

/** The org and customer of an event; undefined if this table does not have the customer. */
export async function ownerOf(event: StripeEvent): Promise<{ orgId: string; customerId: string } | undefined> {
  const named = customerOf(event)
  if (named !== undefined) {
    const orgId = await findOrgOfCustomer(named)
    return orgId === undefined ? undefined : { orgId, customerId: named }
  }
  // A session without a customer can belong to an org that has one. This must not bind the two: any client can set
  // this field.
  const orgId = event.data.object.client_reference_id
  if (!orgId || !idPattern('org').test(orgId)) return undefined
  const { customerId } = await readBilling(orgId)
  return customerId === undefined ? undefined : { orgId, customerId }
}

function refuse(reason: Refusal, about: Record<string, unknown>): 'refused' {
  emitMetrics('Stripe event refused', { StripeEventsRefused: 1 }, { reason, ...about })
  return 'refused'
}

function acknowledge(reason: 'type' | 'customer', about: Record<string, unknown>): 'unknown' {
  emitMetrics('Stripe event is not for us', { StripeEventsUnknown: 1 }, { reason, ...about })
  return 'unknown'
}
