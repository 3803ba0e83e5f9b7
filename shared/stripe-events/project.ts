/**
 * Projects one event: it is a hint that something of a customer has changed, and what has is asked of Stripe. An event
 * that cannot be ours is acknowledged and counted; whatever fails is thrown, so that it is tried again.
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

/** What EventBridge hands its targets, as far as it is read. */
const envelopeSchema = lazy(() => z.object({ source: z.string(), detail: stripeEventSchema() }))

/** Why an event is none for this deployment, as it is counted. */
type Refusal = 'malformed' | 'source' | 'account' | 'livemode'

export type ProjectionOutcome = 'projected' | 'duplicate' | 'unknown' | 'refused'

/**
 * @throws ProblemError `conflict`, `upstream_error`, `service_unavailable` when it must be tried again; the event is then
 * not marked done
 */
export async function project(
  envelope: unknown,
  { requestId, deadline }: Run,
  ports?: SyncPorts,
): Promise<ProjectionOutcome> {
  const parsed = envelopeSchema().safeParse(envelope)
  const told = { request_id: requestId }
  if (!parsed.success) return refuse('malformed', told)
  const { source, detail: event } = parsed.data
  const about = { ...told, event_id: event.id, event_type: event.type }
  const refusal = await refusalOf(source, event)
  if (refusal) return refuse(refusal, about)
  if (!isKnownType(event.type)) return acknowledge('type', about)
  const whose = await whoseEvent(event)
  if (!whose) return acknowledge('customer', about)
  if (await isProcessed(event.id)) {
    emitMetrics('Stripe event was projected before', { StripeEventsDuplicate: 1 }, about)
    return 'duplicate'
  }
  const { now } = ports?.timing ?? realTiming
  const request = { ...whose, source: 'event', eventId: event.id, context: { requestId }, deadline } as const
  const { changed, projection } = await syncCustomer(request, ports)
  if (!projection) return acknowledge('customer', about)
  if (event.type.startsWith('invoice.')) await dropInvoices(whose)
  await markProcessed(event.id, now())
  const StripeEventAgeSeconds = Math.max(0, Math.round(now().getTime() / 1000 - event.created))
  emitMetrics(
    'Stripe event projected',
    { StripeEventsProjected: 1, StripeEventAgeSeconds },
    { ...about, org_id: whose.orgId, changed },
  )
  return 'projected'
}

/**
 * Only our receiver and a partner source can put events on the buses that the rules watch; that a bus, a destination or
 * a key was set up for another account or mode is what is found here.
 */
async function refusalOf(source: string, { account, livemode }: StripeEvent): Promise<Refusal | undefined> {
  if (source !== webhookSource && source !== environment('stripePartnerSource')) return 'source'
  if (account && account !== environment('stripeAccount')) return 'account'
  const { secretKey } = await stripeSecrets()
  // Without a key it is the sync that fails, and the event waits until there is one.
  return secretKey !== undefined && livemode !== isLivemode(secretKey) ? 'livemode' : undefined
}

/** The org and the customer that an event is about; undefined when the customer is none of this table's. */
export async function whoseEvent(event: StripeEvent): Promise<{ orgId: string; customerId: string } | undefined> {
  const named = customerOf(event)
  if (named !== undefined) {
    const orgId = await findOrgOfCustomer(named)
    return orgId === undefined ? undefined : { orgId, customerId: named }
  }
  // A session without a customer may still be of an org that has one. It never binds the two: anybody can write that field.
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
