/** Subscriptions: what is bought, for how long it is paid, and what becomes of it when it is not. */
import * as z from 'zod'
import { cardDeclined, invalidRequest } from './api-error.ts'
import { daySeconds, isSameCadence, periodEnd } from './calendar.ts'
import { sellablePrice } from './catalog.ts'
import { needCustomer, requireCard } from './customers.ts'
import {
  cardOf,
  chargeInvoice,
  draftInvoice,
  finalizeInvoice,
  invoiceLine,
  stopCollecting,
  subscriptionOf,
  voidInvoice,
} from './invoices.ts'
import { formatMoney } from './money.ts'
import type { Invoice, InvoiceLine, Price, Subscription, SubscriptionItem } from './objects.ts'
import {
  clearable,
  flag,
  integer,
  integerIn,
  listOf,
  mergeMetadata,
  metadata,
  oneOf,
  params,
  range,
  text,
} from './params.ts'
import type { Store } from './store.ts'

/** How long a first payment may take. */
export const incompleteSeconds = 23 * 3600

const paymentBehavior = oneOf('allow_incomplete', 'default_incomplete', 'error_if_incomplete')
const prorationBehavior = oneOf('create_prorations', 'always_invoice', 'none')
const timestampOrNow = z.union([z.literal('now'), integer])
const trialSettings = z
  .strictObject({
    end_behavior: z.strictObject({ missing_payment_method: oneOf('cancel', 'create_invoice', 'pause') }),
  })
  .transform(({ end_behavior }) => ({ end_behavior: { billing_cycle_anchor: null, ...end_behavior } }))
const cancellation = z.strictObject({
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

/** A subscription to be made, by a request or by a checkout. */
export interface NewSubscription {
  customer: string
  items: readonly { price: Price; quantity: number; metadata?: Record<string, string> }[]
  card: string | null
  description: string | null
  metadata: Record<string, string>
  /** When the trial ends; null without one. */
  trialEnd: number | null
  missingCardAtTrialEnd: 'cancel' | 'create_invoice' | 'pause'
  paymentBehavior: z.output<typeof paymentBehavior>
}

export function createSubscription(store: Store, given: z.output<typeof subscriptionCreate>): Subscription {
  needCustomer(store, given.customer)
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

export function trialEndOf(
  store: Store,
  end: number | 'now' | null | undefined,
  days: number | undefined,
): number | null {
  if (end === 'now') return null
  if (typeof end === 'number') {
    if (end <= store.now()) throw invalidRequest('Invalid timestamp: must be in the future', { param: 'trial_end' })
    return end
  }
  return days ? store.now() + days * daySeconds : null
}

/** Makes a subscription and collects its first invoice. */
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
    advances: false,
  })
  const created = store.change('subscription', id, { latest_invoice: invoice.id })
  store.emit('customer.subscription.created', created)
  const { amount_due } = finalizeInvoice(store, invoice.id)
  if (amount_due > 0 && wanted.paymentBehavior === 'default_incomplete') return store.need('subscription', id)
  const { status } = collectInvoice(store, invoice.id)
  if (status !== 'paid' && wanted.paymentBehavior === 'error_if_incomplete') throw cardDeclined()
  return store.need('subscription', id)
}

function requireOneRhythm(items: NewSubscription['items']): { price: Price } {
  const [first] = items
  if (!first) throw invalidRequest('Missing required param: items.', { code: 'parameter_missing', param: 'items' })
  if (new Set(items.map(({ price }) => price.id)).size !== items.length) {
    throw invalidRequest('Cannot add multiple subscription items with the same plan.', { param: 'items' })
  }
  if (!items.every(({ price }) => isSameCadence(price.recurring, first.price.recurring))) {
    throw invalidRequest(
      'Currency and interval fields must match across all plans on this subscription. Found mismatch in interval field.',
    )
  }
  return first
}

function requireSomeCard(store: Store, subscription: Subscription): void {
  if (cardOf(store, subscription)) return
  throw invalidRequest(
    'This customer has no attached payment source or default payment method. Please consider adding a default payment method. For more information, visit https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority.',
    { code: 'resource_missing' },
  )
}

function newSubscription(store: Store, wanted: NewSubscription, price: Price): Subscription {
  const id = store.id('sub_1')
  const now = store.now()
  const anchor = wanted.trialEnd ?? now
  const end = wanted.trialEnd ?? periodEnd(now, now, price.recurring)
  const items = wanted.items.map((item) => newItem(store, id, item, { start: now, end }))
  return {
    id,
    ...blankSubscription,
    billing_cycle_anchor: anchor,
    created: now,
    currency: price.currency,
    customer: wanted.customer,
    default_payment_method: wanted.card,
    description: wanted.description,
    items: { object: 'list', data: items, has_more: false, url: `/v1/subscription_items?subscription=${id}` },
    metadata: wanted.metadata,
    start_date: now,
    status: wanted.trialEnd ? 'trialing' : 'incomplete',
    trial_end: wanted.trialEnd,
    trial_settings: {
      end_behavior: { billing_cycle_anchor: null, missing_payment_method: wanted.missingCardAtTrialEnd },
    },
    trial_start: wanted.trialEnd ? now : null,
  }
}

const blankSubscription = {
  object: 'subscription',
  application: null,
  application_fee_percent: null,
  automatic_tax: { disabled_reason: null, enabled: false, liability: null },
  billing_cycle_anchor_config: null,
  billing_mode: { flexible: { proration_discounts: 'included' }, type: 'flexible' },
  billing_schedules: [],
  billing_thresholds: null,
  cancel_at: null,
  cancel_at_period_end: false,
  canceled_at: null,
  cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
  collection_method: 'charge_automatically',
  customer_account: null,
  days_until_due: null,
  default_source: null,
  default_tax_rates: [],
  discounts: [],
  ended_at: null,
  invoice_settings: {
    account_tax_ids: null,
    custom_fields: null,
    description: null,
    footer: null,
    issuer: { type: 'self' },
  },
  latest_invoice: null,
  livemode: false,
  managed_payments: { enabled: false },
  next_pending_invoice_item_invoice: null,
  on_behalf_of: null,
  pause_collection: null,
  payment_settings: { payment_method_options: null, payment_method_types: null, save_default_payment_method: 'off' },
  pending_invoice_item_interval: null,
  pending_setup_intent: null,
  pending_update: null,
  schedule: null,
  test_clock: null,
  transfer_data: null,
} as const satisfies Partial<Subscription>

function newItem(
  store: Store,
  subscription: string,
  { price, quantity, metadata = {} }: NewSubscription['items'][number],
  period: { start: number; end: number },
): SubscriptionItem {
  return {
    id: store.id('si_', 14),
    object: 'subscription_item',
    billing_thresholds: null,
    created: store.now(),
    current_period_end: period.end,
    current_period_start: period.start,
    current_trial: null,
    discounts: [],
    metadata,
    plan: planOf(price),
    price,
    quantity,
    subscription,
    tax_rates: [],
  }
}

/** The older twin that every recurring price still has. */
function planOf(price: Price): SubscriptionItem['plan'] {
  const { recurring } = price
  return {
    id: price.id,
    object: 'plan',
    active: price.active,
    amount: price.unit_amount,
    amount_decimal: price.unit_amount_decimal,
    billing_scheme: 'per_unit',
    created: price.created,
    currency: price.currency,
    interval: recurring.interval,
    interval_count: recurring.interval_count,
    livemode: false,
    metadata: price.metadata,
    meter: null,
    nickname: price.nickname,
    product: price.product,
    tiers_mode: null,
    transform_usage: null,
    trial_period_days: null,
    usage_type: 'licensed',
  }
}

export const periodOf = ({ items }: Subscription): { start: number; end: number } => ({
  start: items.data[0]?.current_period_start ?? 0,
  end: items.data[0]?.current_period_end ?? 0,
})

const amountOf = ({ price, quantity }: Pick<SubscriptionItem, 'price' | 'quantity'>): number =>
  (price.unit_amount ?? 0) * quantity

export const totalOf = ({ items }: Subscription): number => items.data.reduce((sum, item) => sum + amountOf(item), 0)

/** What the current period costs: each item in full, or nothing while it is tried. */
function periodLines(store: Store, { items, status }: Subscription): InvoiceLine[] {
  return items.data.map((item) => {
    const { name } = store.need('product', item.price.product)
    const price = `${formatMoney(item.price.unit_amount ?? 0, item.price.currency)} / ${item.price.recurring.interval}`
    const trial = status === 'trialing'
    return invoiceLine(store, item, {
      amount: trial ? 0 : amountOf(item),
      description: trial ? `Trial period for ${name}` : `${item.quantity} × ${name} (at ${price})`,
      period: { start: item.current_period_start, end: item.current_period_end },
      proration: false,
    })
  })
}

/** Charges an open invoice, and lets its subscription follow. */
export function collectInvoice(store: Store, id: string, card?: string): Invoice {
  const { id: subscriptionId, ...subscription } = store.need(
    'subscription',
    subscriptionOf(store.need('invoice', id)) ?? '',
  )
  const invoice = chargeInvoice(store, id, card ?? cardOf(store, { id: subscriptionId, ...subscription }))
  if (invoice.status === 'paid') afterPayment(store, subscriptionId, invoice)
  else afterFailure(store, subscriptionId, invoice)
  return invoice
}

function afterPayment(store: Store, id: string, invoice: Invoice): void {
  const { status, latest_invoice } = store.need('subscription', id)
  const owed = status === 'incomplete' || status === 'past_due' || status === 'unpaid'
  if (owed && latest_invoice === invoice.id) changeSubscription(store, id, { status: 'active' })
  refreshDelinquency(store, invoice.customer)
}

function afterFailure(store: Store, id: string, invoice: Invoice): void {
  const { status } = store.need('subscription', id)
  if (status === 'active') changeSubscription(store, id, { status: 'past_due' })
  refreshDelinquency(store, invoice.customer)
  const isLast = invoice.auto_advance && invoice.next_payment_attempt === null
  if (!isLast || invoice.billing_reason === 'subscription_create') return
  const { afterRetries } = store.settings
  if (afterRetries === 'cancel') endSubscription(store, id, 'payment_failed')
  if (afterRetries === 'unpaid') changeSubscription(store, id, { status: 'unpaid' })
}

/** Stripe calls a customer delinquent while the latest charge of an invoice has failed. */
function refreshDelinquency(store: Store, id: string): void {
  const customer = store.get('customer', id)
  if (!customer) return
  const delinquent = store
    .all('invoice')
    .some((invoice) => invoice.customer === id && invoice.status === 'open' && invoice.attempt_count > 0)
  if (delinquent === customer.delinquent) return
  store.emit('customer.updated', store.change('customer', id, { delinquent }), customer)
}

/** Replaces fields and says so. */
export function changeSubscription(store: Store, id: string, changes: Partial<Subscription>): Subscription {
  const before = store.need('subscription', id)
  const after = store.change('subscription', id, changes)
  store.emit('customer.subscription.updated', after, before)
  return after
}

/** The next period begins: it is invoiced, and the invoice is collected after its hour as a draft. */
export function renewSubscription(store: Store, id: string): void {
  const before = store.need('subscription', id)
  const [item] = before.items.data
  if (!item) return
  const start = item.current_period_end
  const end = periodEnd(before.billing_cycle_anchor, start, item.price.recurring)
  const wasTrial = before.status === 'trialing'
  const next: Subscription = { ...withPeriod(before, { start, end }), status: wasTrial ? 'active' : before.status }
  const invoice = draftInvoice(store, next, {
    reason: 'subscription_cycle',
    lines: [...takePendingLines(store, id), ...periodLines(store, next)],
    period: { start: item.current_period_start, end: start },
    advances: before.status !== 'unpaid' && before.pause_collection?.behavior !== 'keep_as_draft',
  })
  changeSubscription(store, id, { items: next.items, status: next.status, latest_invoice: invoice.id })
}

const withPeriod = (subscription: Subscription, { start, end }: { start: number; end: number }): Subscription => ({
  ...subscription,
  items: {
    ...subscription.items,
    data: subscription.items.data.map((item) => ({ ...item, current_period_start: start, current_period_end: end })),
  },
})

function takePendingLines(store: Store, id: string): InvoiceLine[] {
  const lines = store.get('pending_lines', id)?.lines ?? []
  if (lines.length > 0) store.remove('pending_lines', id)
  return lines
}

/** A draft's hour is over. */
export function advanceInvoice(store: Store, id: string): void {
  const draft = store.need('invoice', id)
  const subscription = store.need('subscription', subscriptionOf(draft) ?? '')
  finalizeInvoice(store, id)
  if (subscription.pause_collection?.behavior === 'void') voidInvoice(store, id)
  else if (subscription.pause_collection?.behavior === 'mark_uncollectible')
    store.emit(
      'invoice.marked_uncollectible',
      store.change('invoice', id, { status: 'uncollectible', auto_advance: false }),
    )
  else collectInvoice(store, id)
}

/** The trial is over: the subscription is paid from here on, or does what was agreed for want of a card. */
export function endTrial(store: Store, id: string): void {
  const subscription = store.need('subscription', id)
  const missing = subscription.trial_settings?.end_behavior.missing_payment_method
  if (cardOf(store, subscription) === null && missing === 'cancel') endSubscription(store, id, 'payment_failed')
  else if (cardOf(store, subscription) === null && missing === 'pause') pauseSubscription(store, id)
  else renewSubscription(store, id)
}

export function pauseSubscription(store: Store, id: string): Subscription {
  const { status } = store.need('subscription', id)
  if (status !== 'active' && status !== 'trialing')
    throw invalidRequest(`A subscription that is ${status} cannot be paused.`)
  const paused = changeSubscription(store, id, { status: 'paused' })
  store.emit('customer.subscription.paused', paused)
  return paused
}

/** A paused subscription goes on, with a period that begins now. */
export function resumeSubscription(store: Store, id: string): Subscription {
  const before = store.need('subscription', id)
  const [item] = before.items.data
  if (before.status !== 'paused' || !item)
    throw invalidRequest(`This subscription is ${before.status}; only a paused one can be resumed.`)
  requireSomeCard(store, before)
  const now = store.now()
  const next = withPeriod(
    { ...before, status: 'active' },
    { start: now, end: periodEnd(now, now, item.price.recurring) },
  )
  const resumed = changeSubscription(store, id, { status: 'active', items: next.items, billing_cycle_anchor: now })
  store.emit('customer.subscription.resumed', resumed)
  return invoiceNow(store, id, periodLines(store, next))
}

/** Bills lines at once. */
function invoiceNow(store: Store, id: string, lines: readonly InvoiceLine[]): Subscription {
  const subscription = store.need('subscription', id)
  const invoice = draftInvoice(store, subscription, {
    reason: 'subscription_update',
    lines,
    period: { start: store.now(), end: store.now() },
    advances: false,
  })
  store.change('invoice', invoice.id, { auto_advance: true })
  changeSubscription(store, id, { latest_invoice: invoice.id })
  finalizeInvoice(store, invoice.id)
  collectInvoice(store, invoice.id)
  return store.need('subscription', id)
}

type Cancelled = 'cancellation_requested' | 'payment_failed'

export const subscriptionCancel = params({
  cancellation_details: cancellation.optional(),
  invoice_now: flag.optional(),
  prorate: flag.optional(),
})

export function cancelSubscription(store: Store, id: string, given: z.output<typeof subscriptionCancel>): Subscription {
  const { status } = store.need('subscription', id)
  // Stripe's own answer for one that has ended is that there is none.
  if (hasEnded(status)) throw noSubscription(id)
  if (given.cancellation_details) noteCancellation(store, id, given.cancellation_details)
  return endSubscription(store, id, 'cancellation_requested')
}

const noSubscription = (id: string) =>
  invalidRequest(`No such subscription: '${id}'`, { code: 'resource_missing', param: 'id' })

export const hasEnded = (status: string): boolean => status === 'canceled' || status === 'incomplete_expired'

function noteCancellation(store: Store, id: string, given: z.output<typeof cancellation>): void {
  const { cancellation_details } = store.need('subscription', id)
  const { comment = cancellation_details?.comment ?? null, feedback = cancellation_details?.feedback ?? null } = given
  store.change('subscription', id, {
    cancellation_details: { feedback_option: null, reason: null, ...cancellation_details, comment, feedback },
  })
}

/** Ends a subscription now. */
export function endSubscription(store: Store, id: string, reason: Cancelled): Subscription {
  const { canceled_at, cancellation_details } = store.need('subscription', id)
  const ended = store.change('subscription', id, {
    status: 'canceled',
    canceled_at: canceled_at ?? store.now(),
    ended_at: store.now(),
    cancellation_details: { comment: null, feedback: null, feedback_option: null, ...cancellation_details, reason },
  })
  stopCollecting(store, id)
  store.remove('pending_lines', id)
  store.emit('customer.subscription.deleted', ended)
  return ended
}

/** A first payment that never came. */
export function expireIncomplete(store: Store, id: string): void {
  const { latest_invoice } = store.need('subscription', id)
  if (latest_invoice && store.need('invoice', latest_invoice).status === 'open') voidInvoice(store, latest_invoice)
  changeSubscription(store, id, { status: 'incomplete_expired', ended_at: store.now() })
}

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
  billing_cycle_anchor: oneOf('now', 'unchanged').optional(),
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
  const changed = given.items ? changeItems(store, before, given.items) : undefined
  store.emit('customer.subscription.updated', store.need('subscription', id), before)
  if (given.trial_end !== undefined) moveTrialEnd(store, id, given.trial_end)
  if (changed) billItemChanges(store, before, given)
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

/** A cancellation that is planned, or taken back. */
function cancellationOf(store: Store, before: Subscription, given: Update): Partial<Subscription> {
  const { cancel_at, cancel_at_period_end } = given
  if (cancel_at !== undefined && cancel_at !== null && cancel_at_period_end) {
    throw invalidRequest('You may only specify one of these parameters: cancel_at, cancel_at_period_end.', {
      code: 'parameters_exclusive',
    })
  }
  const { end } = periodOf(before)
  const at = cancel_at_period_end || cancel_at === 'min_period_end' || cancel_at === 'max_period_end' ? end : cancel_at
  if (typeof at === 'number') {
    if (at <= store.now())
      throw invalidRequest('Invalid timestamp: must be an integer Unix timestamp in the future.', {
        param: 'cancel_at',
      })
    const details = { comment: null, feedback: null, feedback_option: null, ...before.cancellation_details }
    return {
      cancel_at: at,
      cancel_at_period_end: cancel_at_period_end === true,
      canceled_at: before.canceled_at ?? store.now(),
      cancellation_details: { ...details, reason: 'cancellation_requested' },
    }
  }
  const takenBack = at === null || (cancel_at_period_end === false && before.cancel_at_period_end)
  if (!takenBack) return {}
  return {
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
  }
}

/** Puts the items as asked; true when what is paid for has changed. */
function changeItems(store: Store, before: Subscription, given: readonly z.output<typeof itemUpdate>[]): boolean {
  let data = before.items.data
  for (const [index, change] of given.entries()) data = changeItem(store, before, data, change, index)
  requireOneRhythm(data)
  store.change('subscription', before.id, { items: { ...before.items, data } })
  return (
    data.length !== before.items.data.length ||
    data.some((item, index) => costsOtherwise(item, before.items.data[index]))
  )
}

function changeItem(
  store: Store,
  subscription: Subscription,
  items: SubscriptionItem[],
  { id, price, quantity, deleted, metadata }: z.output<typeof itemUpdate>,
  index: number,
): SubscriptionItem[] {
  const sold = price === undefined ? undefined : sellablePrice(store, price, `items[${index}][price]`)
  if (id === undefined) {
    if (!sold)
      throw invalidRequest(`Missing required param: items[${index}][price].`, {
        code: 'parameter_missing',
        param: `items[${index}][price]`,
      })
    return [...items, newItem(store, subscription.id, { price: sold, quantity: quantity ?? 1 }, periodOf(subscription))]
  }
  if (!items.some((item) => item.id === id)) {
    throw invalidRequest(`No such subscription_item: '${id}'`, {
      code: 'resource_missing',
      param: `items[${index}][id]`,
    })
  }
  if (deleted) return items.filter((item) => item.id !== id)
  return items.map((item) => {
    if (item.id !== id) return item
    const now = sold ?? item.price
    return {
      ...item,
      price: now,
      plan: planOf(now),
      quantity: quantity ?? item.quantity,
      metadata: mergeMetadata(item.metadata, metadata),
    }
  })
}

const costsOtherwise = (a: SubscriptionItem, b: SubscriptionItem | undefined): boolean =>
  a.price.id !== b?.price.id || a.quantity !== b.quantity

/** Credits what was paid and not used, charges what replaces it: now, or with the next invoice. */
function billItemChanges(store: Store, before: Subscription, given: Update): void {
  const after = store.need('subscription', before.id)
  const [was, is] = [before.items.data[0], after.items.data[0]]
  if (!was || !is || after.status === 'trialing' || after.status === 'incomplete') return
  const restarts = given.billing_cycle_anchor === 'now' || !isSameCadence(was.price.recurring, is.price.recurring)
  const prorates = given.proration_behavior !== 'none'
  const credit = prorates ? prorations(store, before, -1) : []
  if (restarts) {
    const now = store.now()
    const next = withPeriod(after, { start: now, end: periodEnd(now, now, is.price.recurring) })
    changeSubscription(store, before.id, { items: next.items, billing_cycle_anchor: now })
    billNow(store, before.id, [...takePendingLines(store, before.id), ...credit, ...periodLines(store, next)], given)
    return
  }
  if (!prorates) return
  const lines = [...credit, ...prorations(store, after, 1)]
  if (given.proration_behavior === 'always_invoice')
    billNow(store, before.id, [...takePendingLines(store, before.id), ...lines], given)
  else
    store.put('pending_lines', {
      id: before.id,
      lines: [...(store.get('pending_lines', before.id)?.lines ?? []), ...lines],
    })
}

function billNow(store: Store, id: string, lines: readonly InvoiceLine[], { payment_behavior }: Update): void {
  const { latest_invoice } = invoiceNow(store, id, lines)
  const paid = latest_invoice !== null && store.need('invoice', latest_invoice).status === 'paid'
  if (!paid && payment_behavior === 'error_if_incomplete') throw cardDeclined()
}

/** What the rest of the period is worth, as credit (-1) or as a charge (1). */
function prorations(store: Store, subscription: Subscription, sign: 1 | -1): InvoiceLine[] {
  const { start, end } = periodOf(subscription)
  const now = store.now()
  const share = Math.max(0, end - now) / (end - start)
  return subscription.items.data.map((item) => {
    const { name } = store.need('product', item.price.product)
    const date = new Date(now * 1000).toISOString().slice(0, 10)
    return invoiceLine(store, item, {
      amount: sign * Math.round(amountOf(item) * share),
      description: `${sign < 0 ? 'Unused' : 'Remaining'} time on ${item.quantity} × ${name} after ${date}`,
      period: { start: now, end },
      proration: true,
    })
  })
}

function moveTrialEnd(store: Store, id: string, end: number | 'now'): void {
  const subscription = store.need('subscription', id)
  const at = end === 'now' ? store.now() : end
  if (end !== 'now' && at <= store.now())
    throw invalidRequest('Invalid timestamp: must be in the future', { param: 'trial_end' })
  const moved = withPeriod(subscription, { start: periodOf(subscription).start, end: at })
  const trial = end === 'now' ? {} : { status: 'trialing', trial_start: subscription.trial_start ?? store.now() }
  changeSubscription(store, id, { ...trial, items: moved.items, billing_cycle_anchor: at, trial_end: at })
  if (end === 'now' && subscription.status === 'trialing') {
    endTrial(store, id)
    const { latest_invoice } = store.need('subscription', id)
    if (latest_invoice && store.need('invoice', latest_invoice).status === 'draft')
      advanceInvoice(store, latest_invoice)
  }
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

/** Somebody pays an open invoice at once. */
export function payInvoice(store: Store, id: string, card?: string): Invoice {
  const open = store.need('invoice', id)
  if (open.status === 'paid') throw invalidRequest('Invoice is already paid')
  if (open.status === 'draft') finalizeInvoice(store, id)
  else if (open.status !== 'open') throw invalidRequest(`This invoice is ${open.status} and can no longer be paid.`)
  if (card) requireCard(store, card, open.customer, 'payment_method')
  return collectInvoice(store, id, card)
}
