/** Changes of a subscription: items, cancellation, trial and proration. */
import * as z from 'zod'
import { invalidRequest, resourceMissing } from './api-error.ts'
import {
  addPendingLines,
  advanceInvoice,
  billNow,
  changeSubscription,
  chargedCard,
  endTrial,
  periodLines,
  startPeriodNow,
} from './billing-cycle.ts'
import { daySeconds, isSameCadence } from './calendar.ts'
import { chargeRefused, requireCard } from './cards.ts'
import { sellablePrice } from './catalog.ts'
import { invoiceLine } from './invoices.ts'
import { formatDate } from './money.ts'
import type { InvoiceLine, Price, Subscription, SubscriptionItem } from './objects.ts'
import { clearable, flag, integer, integerIn, listOf, mergeMetadata, metadata, oneOf, params, text } from './params.ts'
import type { Store } from './store.ts'
import {
  amountOf,
  hasEnded,
  type NewSubscription,
  newItem,
  periodOf,
  planOf,
  withPeriod,
} from './subscription-object.ts'

export const paymentBehavior = oneOf('allow_incomplete', 'default_incomplete', 'error_if_incomplete')
const prorationBehavior = oneOf('create_prorations', 'always_invoice', 'none')
export const timestampOrNow = z.union([z.literal('now'), integer])
export const trialSettings = z
  .strictObject({
    end_behavior: z.strictObject({ missing_payment_method: oneOf('cancel', 'create_invoice', 'pause') }),
  })
  .transform(({ end_behavior }) => ({ end_behavior: { billing_cycle_anchor: null, ...end_behavior } }))
export const cancellation = z.strictObject({
  comment: clearable.optional(),
  feedback: oneOf(
    'customer_service',
    'low_quality',
    'missing_features',
    'other',
    'switched_service',
    'too_complex',
    'too_expensive',
    'unused',
  ).optional(),
})

const itemUpdate = z.strictObject({
  id: text.optional(),
  price: text.optional(),
  quantity: integerIn(0).optional(),
  deleted: flag.optional(),
  metadata: metadata.optional(),
})

export const subscriptionUpdate = params({
  items: listOf(itemUpdate).optional(),
  cancel_at_period_end: flag.optional(),
  cancel_at: z
    .union([z.literal('').transform(() => null), oneOf('min_period_end', 'max_period_end'), integer])
    .optional(),
  cancellation_details: cancellation.optional(),
  default_payment_method: clearable.optional(),
  description: clearable.optional(),
  metadata: metadata.optional(),
  billing_cycle_anchor: z.strictObject({ type: oneOf('now', 'unchanged') }).optional(),
  payment_behavior: paymentBehavior.optional(),
  proration_behavior: prorationBehavior.optional(),
  pause_collection: z
    .union([
      z.literal('').transform(() => null),
      z.strictObject({
        behavior: oneOf('keep_as_draft', 'mark_uncollectible', 'void'),
        resumes_at: integer.optional(),
      }),
    ])
    .optional(),
  trial_end: timestampOrNow.optional(),
  trial_settings: trialSettings.optional(),
})

type Update = Partial<z.output<typeof subscriptionUpdate>>

export function updateSubscription(store: Store, id: string, given: Update): Subscription {
  const before = store.need('subscription', id)
  refuseEnded(before, given)
  if (given.default_payment_method)
    requireCard(store, given.default_payment_method, before.customer, 'default_payment_method')
  if (given.cancellation_details) noteCancellation(store, id, given.cancellation_details)
  const noted = store.need('subscription', id)
  store.change('subscription', id, { ...fieldsOf(noted, given), ...cancellationOf(store, noted, given) })
  if (given.items) changeItems(store, store.need('subscription', id), given.items)
  store.emit('customer.subscription.updated', store.need('subscription', id), before)
  if (given.trial_end !== undefined) moveTrialEnd(store, id, given.trial_end)
  billChanges(store, before, given)
  return store.need('subscription', id)
}

function refuseEnded({ status }: Subscription, given: Update): void {
  const allowed = new Set(['metadata', 'cancellation_details', 'expand'])
  const named = Object.entries(given).filter(([, value]) => value !== undefined)
  if (!hasEnded(status) || named.every(([field]) => allowed.has(field))) return
  throw invalidRequest('A canceled subscription can only update its cancellation_details and metadata.', {
    code: 'invalid_canceled_subscription_fields',
  })
}

function fieldsOf(before: Subscription, given: Update): Partial<Subscription> {
  const { pause_collection: pause } = given
  return {
    default_payment_method:
      given.default_payment_method === undefined ? before.default_payment_method : given.default_payment_method,
    description: given.description === undefined ? before.description : given.description,
    metadata: mergeMetadata(before.metadata, given.metadata),
    pause_collection:
      pause === undefined
        ? before.pause_collection
        : pause && { behavior: pause.behavior, resumes_at: pause.resumes_at ?? null },
    trial_settings: given.trial_settings ?? before.trial_settings,
  }
}

export function noteCancellation(store: Store, id: string, given: z.output<typeof cancellation>): void {
  const { cancellation_details } = store.need('subscription', id)
  const { comment = cancellation_details?.comment ?? null, feedback = cancellation_details?.feedback ?? null } = given
  store.change('subscription', id, {
    cancellation_details: { feedback_option: null, reason: null, ...cancellation_details, comment, feedback },
  })
}

/** Plans a cancellation, or withdraws it. */
function cancellationOf(store: Store, before: Subscription, given: Update): Partial<Subscription> {
  const { cancel_at, cancel_at_period_end } = given
  if (typeof cancel_at === 'number' && cancel_at_period_end) {
    throw invalidRequest('You may only specify one of these parameters: cancel_at, cancel_at_period_end.', {
      code: 'parameters_exclusive',
    })
  }
  const atPeriodEnd = cancel_at_period_end || typeof cancel_at === 'string'
  const at = atPeriodEnd ? periodOf(before).end : cancel_at
  if (typeof at === 'number') return plannedCancellation(store, before, at, cancel_at_period_end === true)
  const isWithdrawn = at === null || (cancel_at_period_end === false && before.cancel_at_period_end)
  if (!isWithdrawn) return {}
  const cancellation_details = { comment: null, feedback: null, feedback_option: null, reason: null }
  return { cancel_at: null, cancel_at_period_end: false, canceled_at: null, cancellation_details }
}

function plannedCancellation(store: Store, before: Subscription, at: number, byFlag: boolean): Partial<Subscription> {
  if (at <= store.now()) {
    throw invalidRequest('Invalid timestamp: must be an integer Unix timestamp in the future.', { param: 'cancel_at' })
  }
  const details = { comment: null, feedback: null, feedback_option: null, ...before.cancellation_details }
  return {
    cancel_at: at,
    cancel_at_period_end: byFlag,
    canceled_at: before.canceled_at ?? store.now(),
    cancellation_details: { ...details, reason: 'cancellation_requested' },
  }
}

/** Applies the requested item changes. */
function changeItems(store: Store, subscription: Subscription, given: readonly ItemUpdate[]): void {
  let data = subscription.items.data
  for (const [index, change] of given.entries()) {
    const param = `items[${index}]`
    const price = change.price === undefined ? undefined : sellablePrice(store, change.price, `${param}[price]`)
    data = change.id
      ? withItemChanged(data, change.id, { ...change, price }, param)
      : [...data, addedItem(store, subscription, { ...change, price }, param)]
  }
  requireOneRhythm(data)
  store.change('subscription', subscription.id, { items: { ...subscription.items, data } })
}

type ItemUpdate = z.output<typeof itemUpdate>
type PricedUpdate = Omit<ItemUpdate, 'price'> & { price: Price | undefined }

function addedItem(
  store: Store,
  subscription: Subscription,
  { price, quantity = 1, metadata }: PricedUpdate,
  param: string,
): SubscriptionItem {
  if (price) {
    const item = { price, quantity, metadata: mergeMetadata({}, metadata) }
    return newItem(store, subscription.id, item, periodOf(subscription))
  }
  throw invalidRequest(`Missing required param: ${param}[price].`, {
    code: 'parameter_missing',
    param: `${param}[price]`,
  })
}

function withItemChanged(
  items: SubscriptionItem[],
  id: string,
  change: PricedUpdate,
  param: string,
): SubscriptionItem[] {
  const item = items.find((each) => each.id === id)
  if (!item) throw resourceMissing('subscription_item', id, `${param}[id]`)
  if (change.deleted) return items.filter((each) => each !== item)
  const { price = item.price, quantity = item.quantity } = change
  const metadata = mergeMetadata(item.metadata, change.metadata)
  const changed = { ...item, price, plan: planOf(price), quantity, metadata }
  return items.map((each) => (each === item ? changed : each))
}

/**
 * Checks items and returns the first: at least one, no price twice, all with the same interval.
 *
 * @throws ApiError otherwise
 */
export function requireOneRhythm(items: NewSubscription['items']): { price: Price } {
  const [first] = items
  if (!first) throw invalidRequest('Missing required param: items.', { code: 'parameter_missing', param: 'items' })
  if (new Set(items.map(({ price }) => price.id)).size !== items.length) {
    throw invalidRequest('Cannot add multiple subscription items with the same plan.', { param: 'items' })
  }
  if (items.every(({ price }) => isSameCadence(price.recurring, first.price.recurring))) return first
  throw invalidRequest(
    'Currency and interval fields must match across all plans on this subscription. Found mismatch in interval field.',
  )
}

/** Credits unused time and charges the replacement: now, or with the next invoice. */
function billChanges(store: Store, before: Subscription, given: Update): void {
  const { id, items, status } = store.need('subscription', before.id)
  const [was, is] = [before.items.data[0], items.data[0]]
  if (!was || !is || (status !== 'active' && status !== 'past_due')) return
  const prorates = given.proration_behavior !== 'none'
  const credit = prorates ? prorations(store, before, -1) : []
  if (given.billing_cycle_anchor?.type === 'now' || !isSameCadence(was.price.recurring, is.price.recurring)) {
    const next = startPeriodNow(store, id)
    billAtOnce(store, id, [...credit, ...periodLines(store, next)], given)
  } else if (prorates && costOtherwise(before.items.data, items.data)) {
    const lines = [...credit, ...prorations(store, store.need('subscription', id), 1)]
    if (given.proration_behavior === 'always_invoice') billAtOnce(store, id, lines, given)
    else addPendingLines(store, id, lines)
  }
}

const costOtherwise = (before: readonly SubscriptionItem[], after: readonly SubscriptionItem[]): boolean =>
  before.length !== after.length ||
  after.some((item, index) => item.price.id !== before[index]?.price.id || item.quantity !== before[index]?.quantity)

function billAtOnce(store: Store, id: string, lines: readonly InvoiceLine[], { payment_behavior }: Update): void {
  const invoice = billNow(store, id, lines)
  if (invoice.status !== 'paid' && payment_behavior === 'error_if_incomplete')
    throw chargeRefused(store, chargedCard(store, invoice))
}

/** Invoice lines for the rest of the period, as credit (-1) or as a charge (1). */
function prorations(store: Store, subscription: Subscription, sign: 1 | -1): InvoiceLine[] {
  const { start, end } = periodOf(subscription)
  const now = store.now()
  const share = Math.max(0, end - now) / (end - start)
  return subscription.items.data.map((item) => {
    const { name } = store.need('product', item.price.product)
    return invoiceLine(store, item, {
      amount: sign * Math.round(amountOf(item) * share),
      description: `${sign < 0 ? 'Unused' : 'Remaining'} time on ${item.quantity} × ${name} after ${formatDate(now)}`,
      period: { start: now, end },
      proration: true,
    })
  })
}

/** Moves the end of a trial, or starts a trial on a paying subscription. */
function moveTrialEnd(store: Store, id: string, end: number | 'now'): void {
  const subscription = store.need('subscription', id)
  const { status, trial_start } = subscription
  if (end === 'now' && status !== 'trialing') return
  if (status !== 'trialing' && status !== 'active') {
    throw invalidRequest(`A subscription that is ${status} cannot have a trial.`, { param: 'trial_end' })
  }
  const at = trialEndOf(store, end, undefined) ?? store.now()
  const { items, cancel_at } = withPeriod(subscription, { start: periodOf(subscription).start, end: at })
  const trial = { status: 'trialing', trial_start: trial_start ?? store.now(), trial_end: at, billing_cycle_anchor: at }
  changeSubscription(store, id, { ...trial, items, cancel_at })
  if (end !== 'now') return
  endTrial(store, id)
  const { latest_invoice } = store.need('subscription', id)
  if (latest_invoice && store.need('invoice', latest_invoice).status === 'draft') advanceInvoice(store, latest_invoice)
}

/** End of a trial, from a time or a number of days; null without a trial. */
export function trialEndOf(
  store: Store,
  end: number | 'now' | null | undefined,
  days: number | undefined,
): number | null {
  if (end === 'now') return null
  if (typeof end !== 'number') return days ? store.now() + days * daySeconds : null
  if (end > store.now()) return end
  throw invalidRequest('Invalid timestamp: must be an integer Unix timestamp in the future.', { param: 'trial_end' })
}
