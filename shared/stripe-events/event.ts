/**
 * Stripe's events, as far as they are believed: which one, of what kind, and whose customer. What else they say is never
 * read; whoever is told of a change asks Stripe.
 */
import * as z from 'zod'
import { lazy } from '../lazy.ts'

/**
 * The types of events that can change what a customer pays for. Stripe lists at most 20 types at once, so there are no
 * more. A webhook endpoint or an event destination needs these and no others.
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
/** What an operator puts on the bus, and the one thing that can be asked for so: a run of the sweep. */
export const operatorSource = 'octomil.operator'
export const sweepRequested = 'Sweep requested'
/** Sources of Stripe's own on a partner bus start so; nobody but AWS's partners can put events with one. */
export const partnerSourcePrefix = 'aws.partner/stripe.com/'

/** An id, or an object that has one; anything else is as good as nothing. */
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
    // EventBridge has room for 128 characters in its detail type.
    type: z.string().regex(/^[\w.]{1,128}$/),
    /** Epoch seconds. */
    created: z.int().min(0),
    livemode: z.boolean(),
    /** Of events of connected accounts, which account that is. */
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

/** The customer that an event is about: its object, or what its object belongs to. */
export function customerOf({ data: { object } }: StripeEvent): string | undefined {
  return object.object === 'customer' ? object.id : (object.customer ?? undefined)
}

/** What is left of an event that is too large for the bus: all that is ever read of it. */
export function slimmed({ id, type, created, livemode, account, data: { object } }: StripeEvent): StripeEvent {
  const { id: objectId, object: kind, customer, client_reference_id } = object
  return {
    ...{ id, object: 'event', type, created, livemode },
    ...(account ? { account } : {}),
    data: { object: { id: objectId, object: kind, customer, ...(client_reference_id ? { client_reference_id } : {}) } },
  }
}
