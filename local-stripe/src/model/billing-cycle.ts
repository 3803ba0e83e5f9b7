/** The effects of time and payments on subscriptions: renewals, charges, retries, ends. */
import { invalidRequest } from './api-error.ts'
import { periodEnd } from './calendar.ts'
import { chargeRefused, requireCard } from './cards.ts'
import {
  cardOf,
  chargeInvoice,
  draftInvoice,
  finalizeInvoice,
  invoiceLine,
  markUncollectible,
  stopCollecting,
  subscriptionOf,
  voidInvoice,
} from './invoices.ts'
import { formatMoney } from './money.ts'
import type { Invoice, InvoiceLine, Subscription } from './objects.ts'
import type { Store } from './store.ts'
import { amountOf, periodOf, withPeriod } from './subscription-object.ts'

/** Replaces fields and emits an event. */
export function changeSubscription(store: Store, id: string, changes: Partial<Subscription>): Subscription {
  const before = store.need('subscription', id)
  const after = store.change('subscription', id, changes)
  store.emit('customer.subscription.updated', after, before)
  return after
}

/** The invoice lines of the current period: the full price of each item, or 0 during a trial. */
export function periodLines(store: Store, { items, status }: Subscription): InvoiceLine[] {
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

/** Removes and returns the lines that wait for the next invoice. */
function takePendingLines(store: Store, id: string): InvoiceLine[] {
  const lines = store.get('pending_lines', id)?.lines ?? []
  if (lines.length > 0) store.remove('pending_lines', id)
  return lines
}

export function addPendingLines(store: Store, id: string, lines: readonly InvoiceLine[]): void {
  const before = store.get('pending_lines', id)?.lines ?? []
  store.put('pending_lines', { id, lines: [...before, ...lines] })
}

/** Charges an open invoice and updates its subscription. */
export function collectInvoice(store: Store, id: string, card?: string): Invoice {
  const subscription = store.need('subscription', subscriptionOf(store.need('invoice', id)) ?? '')
  const invoice = chargeInvoice(store, id, card ?? cardOf(store, subscription))
  if (invoice.status === 'paid') afterPayment(store, subscription.id, invoice)
  else afterFailure(store, subscription.id, invoice)
  refreshDelinquency(store, invoice.customer)
  return invoice
}

function afterPayment(store: Store, id: string, invoice: Invoice): void {
  const { status, latest_invoice } = store.need('subscription', id)
  const owed = status === 'incomplete' || status === 'past_due' || status === 'unpaid'
  if (owed && latest_invoice === invoice.id) changeSubscription(store, id, { status: 'active' })
}

function afterFailure(store: Store, id: string, invoice: Invoice): void {
  const { status } = store.need('subscription', id)
  if (status === 'active') changeSubscription(store, id, { status: 'past_due' })
  const isLast = invoice.auto_advance && invoice.next_payment_attempt === null
  if (!isLast || (status !== 'active' && status !== 'past_due')) return
  const { afterRetries } = store.settings
  if (afterRetries === 'cancel') endSubscription(store, id, 'payment_failed')
  if (afterRetries === 'unpaid') changeSubscription(store, id, { status: 'unpaid' })
}

/** A customer is delinquent while the latest charge of an open invoice has failed. */
function refreshDelinquency(store: Store, id: string): void {
  const customer = store.get('customer', id)
  if (!customer) return
  const delinquent = store
    .all('invoice')
    .some((invoice) => invoice.customer === id && invoice.status === 'open' && invoice.attempt_count > 0)
  if (delinquent === customer.delinquent) return
  store.emit('customer.updated', store.change('customer', id, { delinquent }), customer)
}

/** Bills lines immediately. */
export function billNow(store: Store, id: string, lines: readonly InvoiceLine[]): Invoice {
  const now = store.now()
  const { id: invoice } = draftInvoice(store, store.need('subscription', id), {
    reason: 'subscription_update',
    lines: [...takePendingLines(store, id), ...lines],
    period: { start: now, end: now },
    advances: 'now',
  })
  changeSubscription(store, id, { latest_invoice: invoice })
  finalizeInvoice(store, invoice)
  return collectInvoice(store, invoice)
}

/** Starts the next period with an invoice, which stays a draft for an hour before it is collected. */
export function renewSubscription(store: Store, id: string): void {
  const before = store.need('subscription', id)
  const [item] = before.items.data
  if (!item) return
  const past = periodOf(before)
  const end = periodEnd(before.billing_cycle_anchor, past.end, item.price.recurring)
  const status = before.status === 'trialing' ? 'active' : before.status
  const next: Subscription = { ...withPeriod(before, { start: past.end, end }), status }
  const held = status === 'unpaid' || before.pause_collection?.behavior === 'keep_as_draft'
  const invoice = draftInvoice(store, next, {
    reason: 'subscription_cycle',
    lines: [...takePendingLines(store, id), ...periodLines(store, next)],
    period: { start: past.start, end: past.end },
    advances: held ? 'never' : 'in an hour',
  })
  const { items, cancel_at } = next
  changeSubscription(store, id, { items, cancel_at, status, latest_invoice: invoice.id })
}

/** Starts a period now; later periods are counted from it. */
export function startPeriodNow(store: Store, id: string): Subscription {
  const subscription = store.need('subscription', id)
  const [item] = subscription.items.data
  if (!item) return subscription
  const now = store.now()
  const { items, cancel_at } = withPeriod(subscription, { start: now, end: periodEnd(now, now, item.price.recurring) })
  return changeSubscription(store, id, { items, cancel_at, billing_cycle_anchor: now })
}

/** Finalizes a draft after its hour, and collects it unless collection is paused. */
export function advanceInvoice(store: Store, id: string): void {
  const subscription = store.need('subscription', subscriptionOf(store.need('invoice', id)) ?? '')
  finalizeInvoice(store, id)
  const paused = subscription.pause_collection?.behavior
  if (paused === 'void') voidInvoice(store, id)
  else if (paused === 'mark_uncollectible') markUncollectible(store, id)
  else collectInvoice(store, id)
}

/** Pays an open invoice immediately. */
export function payInvoice(store: Store, id: string, card?: string): Invoice {
  const open = store.need('invoice', id)
  if (open.status === 'paid') throw invalidRequest('Invoice is already paid')
  if (open.status === 'draft') finalizeInvoice(store, id)
  else if (open.status !== 'open') throw invalidRequest(`This invoice is ${open.status} and can no longer be paid.`)
  if (card) requireCard(store, card, open.customer, 'payment_method')
  const invoice = collectInvoice(store, id, card)
  if (invoice.status !== 'paid') throw chargeRefused(store, card ?? chargedCard(store, invoice), { keepsChanges: true })
  return invoice
}

/** The default card of an invoice. */
export const chargedCard = (store: Store, invoice: Invoice): string | null =>
  cardOf(store, store.need('subscription', subscriptionOf(invoice) ?? ''))

/** Ends a trial: the subscription renews. Without a card, it follows `missing_payment_method`. */
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

type EndReason = 'cancellation_requested' | 'payment_failed'

/** Ends a subscription now. */
export function endSubscription(store: Store, id: string, reason: EndReason): Subscription {
  const { canceled_at, cancellation_details } = store.need('subscription', id)
  const ended = store.change('subscription', id, {
    status: 'canceled',
    canceled_at: canceled_at ?? store.now(),
    ended_at: store.now(),
    cancellation_details: { comment: null, feedback: null, feedback_option: null, ...cancellation_details, reason },
  })
  stopCollecting(store, id)
  store.emit('customer.subscription.deleted', ended)
  return ended
}

/** Time limit of a first payment. */
export const incompleteSeconds = 23 * 3600

/** Expires a subscription whose first payment did not arrive in time. */
export function expireIncomplete(store: Store, id: string): void {
  const { latest_invoice } = store.need('subscription', id)
  if (latest_invoice && store.need('invoice', latest_invoice).status === 'open') voidInvoice(store, latest_invoice)
  changeSubscription(store, id, { status: 'incomplete_expired', ended_at: store.now() })
}
