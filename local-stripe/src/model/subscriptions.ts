/** Creation, pause, resumption and cancellation of subscriptions by requests. */
import * as z from 'zod'
import { invalidRequest, resourceMissing } from './api-error.ts'
import {
  billNow,
  changeSubscription,
  collectInvoice,
  endSubscription,
  periodLines,
  startPeriodNow,
} from './billing-cycle.ts'
import { chargeRefused, requireCard } from './cards.ts'
import { sellablePrice } from './catalog.ts'
import { cardOf, draftInvoice, finalizeInvoice } from './invoices.ts'
import type { Subscription } from './objects.ts'
import { flag, integer, integerIn, listOf, mergeMetadata, metadata, oneOf, params, range, text } from './params.ts'
import type { Store } from './store.ts'
import { hasEnded, type NewSubscription, newSubscription, totalOf } from './subscription-object.ts'
import {
  cancellation,
  noteCancellation,
  paymentBehavior,
  requireOneRhythm,
  timestampOrNow,
  trialEndOf,
  trialSettings,
  updateSubscription,
} from './subscription-update.ts'

export const subscriptionCreate = params({
  customer: text,
  items: listOf(z.strictObject({ price: text, quantity: integerIn(0).optional(), metadata: metadata.optional() })),
  default_payment_method: text.optional(),
  description: text.optional(),
  metadata: metadata.optional(),
  payment_behavior: paymentBehavior.optional(),
  trial_period_days: integerIn(1, 730).optional(),
  trial_end: timestampOrNow.optional(),
  trial_settings: trialSettings.optional(),
  cancel_at_period_end: flag.optional(),
  cancel_at: integer.optional(),
})

export function createSubscription(store: Store, given: z.output<typeof subscriptionCreate>): Subscription {
  store.need('customer', given.customer, 'customer')
  const card = given.default_payment_method ?? null
  if (card) requireCard(store, card, given.customer, 'default_payment_method')
  const subscription = startSubscription(store, {
    customer: given.customer,
    items: given.items.map(({ price, quantity = 1, metadata }, index) => ({
      price: sellablePrice(store, price, `items[${index}][price]`),
      quantity,
      metadata: mergeMetadata({}, metadata),
    })),
    card,
    description: given.description ?? null,
    metadata: mergeMetadata({}, given.metadata),
    trialEnd: trialEndOf(store, given.trial_end, given.trial_period_days),
    missingCardAtTrialEnd: given.trial_settings?.end_behavior.missing_payment_method ?? 'create_invoice',
    paymentBehavior: given.payment_behavior ?? 'allow_incomplete',
  })
  const { cancel_at_period_end, cancel_at } = given
  if (!cancel_at_period_end && cancel_at === undefined) return subscription
  return updateSubscription(store, subscription.id, { cancel_at_period_end, cancel_at })
}

/** Creates a subscription and collects its first invoice. */
export function startSubscription(store: Store, wanted: NewSubscription): Subscription {
  const { price } = requireOneRhythm(wanted.items)
  const { id } = store.put('subscription', newSubscription(store, wanted, price))
  const made = store.need('subscription', id)
  if (!wanted.trialEnd && wanted.paymentBehavior !== 'default_incomplete' && totalOf(made) > 0)
    requireSomeCard(store, made)
  const invoice = draftInvoice(store, made, {
    reason: 'subscription_create',
    lines: periodLines(store, made),
    period: { start: store.now(), end: store.now() },
    advances: 'now',
  })
  const created = store.change('subscription', id, { latest_invoice: invoice.id })
  store.emit('customer.subscription.created', created)
  const { amount_due } = finalizeInvoice(store, invoice.id)
  if (amount_due > 0 && wanted.paymentBehavior === 'default_incomplete') return store.need('subscription', id)
  const { status } = collectInvoice(store, invoice.id)
  if (status !== 'paid' && wanted.paymentBehavior === 'error_if_incomplete')
    throw chargeRefused(store, cardOf(store, store.need('subscription', id)))
  return store.need('subscription', id)
}

function requireSomeCard(store: Store, subscription: Subscription): void {
  if (cardOf(store, subscription)) return
  throw invalidRequest(
    'This customer has no attached payment source or default payment method. Please consider adding a default payment method. For more information, visit https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority.',
    { code: 'resource_missing' },
  )
}

export const subscriptionPause = params({ type: oneOf('subscription').optional() })
export const subscriptionResume = params({
  billing_cycle_anchor: z.strictObject({ type: oneOf('now') }).optional(),
})

/** Resumes a paused subscription with a period that starts now. */
export function resumeSubscription(store: Store, id: string): Subscription {
  const { status } = store.need('subscription', id)
  if (status !== 'paused') {
    throw invalidRequest(`This subscription is ${status}; only a paused one can be resumed.`)
  }
  requireSomeCard(store, store.need('subscription', id))
  startPeriodNow(store, id)
  const resumed = changeSubscription(store, id, { status: 'active' })
  store.emit('customer.subscription.resumed', resumed)
  billNow(store, id, periodLines(store, resumed))
  return store.need('subscription', id)
}

export const subscriptionCancel = params({
  cancellation_details: cancellation.optional(),
  invoice_now: flag.optional(),
  prorate: flag.optional(),
})

export function cancelSubscription(store: Store, id: string, given: z.output<typeof subscriptionCancel>): Subscription {
  const { status } = store.need('subscription', id)
  // Stripe answers "no such subscription" for one that has ended.
  if (hasEnded(status)) throw resourceMissing('subscription', id, 'id')
  if (given.cancellation_details) noteCancellation(store, id, given.cancellation_details)
  return endSubscription(store, id, 'cancellation_requested')
}

export const subscriptionFilters = {
  customer: text.optional(),
  price: text.optional(),
  status: oneOf(
    'active',
    'all',
    'canceled',
    'ended',
    'incomplete',
    'incomplete_expired',
    'past_due',
    'paused',
    'trialing',
    'unpaid',
  ).optional(),
  created: range.optional(),
}
