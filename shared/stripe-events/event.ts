/**
 * The trusted part of Stripe's events: id, type and customer. The service reads nothing else from them; it asks Stripe
 * instead.
 */
import * as z from 'zod'
import { lazy } from '../lazy.ts'

/**
 * Event types that can change what a customer pays for. At most 20, the limit of Stripe's list call. A webhook endpoint
 * or event destination needs exactly these.
 */
export const stripeEventTypes = [
  'checkout.session.completed',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
  'checkout.session.expired',
  'customer.created',
  'customer.updated',
  'customer.deleted',
  'customer.subscription.created',
  'customer.subscription.updated',
  'customer.subscription.deleted',
  'customer.subscription.paused',
  'customer.subscription.resumed',
  'customer.subscription.pending_update_applied',
  'customer.subscription.pending_update_expired',
  'customer.subscription.trial_will_end',
  'invoice.paid',
  'invoice.payment_failed',
  'invoice.payment_action_required',
  'invoice.voided',
  'invoice.marked_uncollectible',
] as const

export const isKnownType = (type: string): boolean => (stripeEventTypes as readonly string[]).includes(type)

/** The source of our own webhook's events on the bus. */
export const webhookSource = 'octomil.stripe'
/** The only event that an operator can put on the bus: a request to run the sweep. */
export const operatorSource = 'octomil.operator'
export const sweepRequested = 'Sweep requested'
/** The prefix of Stripe's sources on a partner bus. Only AWS partners can put events with it. */
export const partnerSourcePrefix = 'aws.partner/stripe.com/'

/** An id, or an object with an id; any other value counts as absent. */
const reference = () =>
  z
    .union([z.string(), z.object({ id: z.string() }).transform(({ id }) => id)])
    .nullish()
    .catch(undefined)

const text = () => z.string().optional().catch(undefined)

export const stripeEventSchema = lazy(() =>
  z.object({
    id: z.string().regex(/^evt_\w{1,200}$/),
    object: z.literal('event'),
    // EventBridge limits its detail type to 128 characters.
    type: z.string().regex(/^[\w.]{1,128}$/),
    /** Epoch seconds. */
    created: z.int().min(0),
    livemode: z.boolean(),
    /** The account of an event of a connected account. */
    account: z.string().nullish(),
    data: z.object({
      object: z.object({
        id: text(),
        object: text(),
        customer: reference(),
        client_reference_id: text().nullish().catch(undefined),
      }),
    }),
  }),
)

export type StripeEvent = z.infer<ReturnType<typeof stripeEventSchema>>

/** The customer of an event: its object, or the customer of its object. */
export function customerOf({ data: { object } }: StripeEvent): string | undefined {
  return object.object === 'customer' ? object.id : (object.customer ?? undefined)
}

/** The part of an event that this service reads, for events too large for the bus. */
export function slimmed({ id, type, created, livemode, account, data: { object } }: StripeEvent): StripeEvent {
  const { id: objectId, object: kind, customer, client_reference_id } = object
  return {
    ...{ id, object: 'event', type, created, livemode },
    ...(account ? { account } : {}),
    data: { object: { id: objectId, object: kind, customer, ...(client_reference_id ? { client_reference_id } : {}) } },
  }
}
