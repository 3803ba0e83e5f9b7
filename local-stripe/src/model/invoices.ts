/** Invoices: drafted, finalized, charged to the card, retried on a schedule, or voided. */
import Stripe from 'stripe'
import { invalidRequest } from './api-error.ts'
import { daySeconds, hourSeconds } from './calendar.ts'
import { isUnconfirmed } from './cards.ts'
import { defaultCard } from './customers.ts'
import type { Invoice, InvoiceLine, Subscription, SubscriptionItem } from './objects.ts'
import { oneOf, params, range, text } from './params.ts'
import type { Store } from './store.ts'

/** A renewal's invoice stays a draft for an hour, so that the business can add lines. */
const draftSeconds = hourSeconds

/** Days between a failed attempt and the next. After the last retry, the failure is final. */
const retryDays: readonly number[] = [3, 5, 7]

interface Draft {
  reason: 'subscription_create' | 'subscription_cycle' | 'subscription_update'
  lines: readonly InvoiceLine[]
  period: { start: number; end: number }
  /** Finalized and collected: automatically after an hour, by the caller now, or never. */
  advances: 'in an hour' | 'now' | 'never'
}

/** Drafts an invoice of a subscription. */
export function draftInvoice(store: Store, subscription: Subscription, draft: Draft): Invoice {
  const customer = store.need('customer', subscription.customer)
  const id = store.id('in_1')
  const lines = draft.lines.map((line) => ({ ...line, invoice: id }))
  const total = lines.reduce((sum, { amount }) => sum + amount, 0)
  const now = store.now()
  const invoice = store.put('invoice', {
    id,
    ...blankInvoice,
    auto_advance: draft.advances !== 'never',
    automatically_finalizes_at: draft.advances === 'in an hour' ? now + draftSeconds : null,
    billing_reason: draft.reason,
    created: now,
    currency: subscription.currency,
    customer: customer.id,
    customer_address: customer.address ?? null,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    customer_phone: customer.phone ?? null,
    customer_tax_exempt: customer.tax_exempt ?? 'none',
    effective_at: null,
    lines: { object: 'list', data: lines, has_more: false, url: `/v1/invoices/${id}/lines` },
    parent: {
      quote_details: null,
      subscription_details: { metadata: subscription.metadata, subscription: subscription.id },
      type: 'subscription_details',
    },
    period_start: draft.period.start,
    period_end: draft.period.end,
    subtotal: total,
    subtotal_excluding_tax: total,
    total,
    total_excluding_tax: total,
    ...amountsDue(total, customer.balance),
  })
  store.emit('invoice.created', invoice)
  return invoice
}

/** Uses the customer's credit first. A negative total becomes credit. */
function amountsDue(total: number, balance: number) {
  const due = Math.max(0, total + balance)
  return { starting_balance: balance, amount_due: due, amount_remaining: due }
}

const blankInvoice = {
  object: 'invoice',
  account_country: 'US',
  account_name: 'Local Stripe',
  account_tax_ids: null,
  amount_overpaid: 0,
  amount_paid: 0,
  amount_paid_off_stripe: 0,
  amount_shipping: 0,
  application: null,
  attempt_count: 0,
  attempted: false,
  automatic_tax: { disabled_reason: null, enabled: false, liability: null, provider: null, status: null },
  collection_method: 'charge_automatically',
  custom_fields: null,
  customer_account: null,
  customer_shipping: null,
  customer_tax_ids: [],
  default_payment_method: null,
  default_source: null,
  default_tax_rates: [],
  description: null,
  discounts: [],
  due_date: null,
  ending_balance: null,
  footer: null,
  from_invoice: null,
  hosted_invoice_url: null,
  invoice_pdf: null,
  issuer: { type: 'self' },
  last_finalization_error: null,
  latest_revision: null,
  livemode: false,
  metadata: {},
  next_payment_attempt: null,
  number: null,
  on_behalf_of: null,
  payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
  post_payment_credit_notes_amount: 0,
  pre_payment_credit_notes_amount: 0,
  receipt_number: null,
  rendering: null,
  shipping_cost: null,
  shipping_details: null,
  statement_descriptor: null,
  status: 'draft',
  status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
  test_clock: null,
  total_discount_amounts: [],
  total_pretax_credit_amounts: [],
  total_taxes: [],
  webhooks_delivered_at: null,
} as const satisfies Partial<Invoice>

/** Gives a draft its number and opens it for payment. */
export function finalizeInvoice(store: Store, id: string): Invoice {
  const draft = store.need('invoice', id)
  if (draft.status !== 'draft') {
    throw invalidRequest('This invoice is already finalized, you can’t re-finalize a non-draft invoice.', {
      code: 'invoice_not_editable',
    })
  }
  const customer = store.need('customer', draft.customer)
  const sequence = customer.next_invoice_sequence ?? 1
  const amounts = amountsDue(draft.total, customer.balance)
  const balance = Math.min(0, draft.total + customer.balance)
  const changed = store.change('customer', customer.id, {
    balance,
    currency: draft.currency,
    next_invoice_sequence: sequence + 1,
  })
  const isVisible = balance !== customer.balance || draft.currency !== customer.currency
  if (isVisible) store.emit('customer.updated', changed, customer)
  const page = `${store.pagesUrl}/invoice/${id}`
  const invoice = store.change('invoice', id, {
    ...amounts,
    automatically_finalizes_at: null,
    effective_at: store.now(),
    ending_balance: balance,
    hosted_invoice_url: page,
    invoice_pdf: `${page}/pdf`,
    number: `${customer.invoice_prefix}-${String(sequence).padStart(4, '0')}`,
    status: 'open',
    status_transitions: { ...draft.status_transitions, finalized_at: store.now() },
  })
  store.emit('invoice.finalized', invoice)
  return invoice
}

/** Tries to charge an open invoice to a card. */
export function chargeInvoice(store: Store, id: string, card: string | null): Invoice {
  const open = store.need('invoice', id)
  const nothingDue = open.amount_due === 0
  const waits = isUnconfirmed(store, card)
  const works = nothingDue || (card !== null && !waits && !store.get('declining_card', card))
  const attempts = { attempted: true, attempt_count: open.attempt_count + (nothingDue ? 0 : 1) }
  if (!works && waits) store.emit('invoice.payment_action_required', store.change('invoice', id, attempts))
  if (!works) return failCharge(store, open, attempts)
  const paid = store.change('invoice', id, {
    ...attempts,
    amount_paid: open.amount_due,
    amount_remaining: 0,
    auto_advance: false,
    next_payment_attempt: null,
    status: 'paid',
    status_transitions: { ...open.status_transitions, paid_at: store.now() },
  })
  store.emit('invoice.paid', paid)
  store.emit('invoice.payment_succeeded', paid)
  return paid
}

function failCharge(store: Store, open: Invoice, attempts: Pick<Invoice, 'attempted' | 'attempt_count'>): Invoice {
  // No retry of the first invoice: the customer is present and can enter another card.
  const days = open.billing_reason === 'subscription_create' ? undefined : retryDays[attempts.attempt_count - 1]
  const next = days !== undefined && open.auto_advance ? store.now() + days * daySeconds : null
  const failed = store.change('invoice', open.id, { ...attempts, next_payment_attempt: next })
  store.emit('invoice.payment_failed', failed)
  store.emit('invoice.updated', failed, open)
  return failed
}

/** Voids an invoice: it need not be paid. */
export function voidInvoice(store: Store, id: string): Invoice {
  const open = store.need('invoice', id)
  if (open.status !== 'open' && open.status !== 'uncollectible') {
    throw invalidRequest(`You can only void an open or uncollectible invoice; this one is ${open.status}.`)
  }
  const voided = store.change('invoice', id, {
    auto_advance: false,
    next_payment_attempt: null,
    status: 'void',
    status_transitions: { ...open.status_transitions, voided_at: store.now() },
  })
  store.emit('invoice.voided', voided)
  return voided
}

/** Marks an invoice as uncollectible: collection stops, the debt stays. */
export function markUncollectible(store: Store, id: string): Invoice {
  const { status_transitions } = store.need('invoice', id)
  const uncollectible = store.change('invoice', id, {
    auto_advance: false,
    next_payment_attempt: null,
    status: 'uncollectible',
    status_transitions: { ...status_transitions, marked_uncollectible_at: store.now() },
  })
  store.emit('invoice.marked_uncollectible', uncollectible)
  return uncollectible
}

/** Stops collecting the invoices of a subscription that has ended. */
export function stopCollecting(store: Store, subscription: string): void {
  for (const invoice of store.all('invoice')) {
    const waits = invoice.status === 'open' || invoice.status === 'draft'
    if (subscriptionOf(invoice) !== subscription || !waits) continue
    const stopped = store.change('invoice', invoice.id, {
      auto_advance: false,
      automatically_finalizes_at: null,
      next_payment_attempt: null,
    })
    store.emit('invoice.updated', stopped, invoice)
  }
}

export const subscriptionOf = (invoice: Invoice): string | undefined => {
  const subscription = invoice.parent?.subscription_details?.subscription
  return typeof subscription === 'string' ? subscription : subscription?.id
}

/** The card of a subscription: its own, or the customer's default. */
export function cardOf(store: Store, subscription: Subscription): string | null {
  return subscription.default_payment_method ?? defaultCard(store.need('customer', subscription.customer))
}

interface LineFacts {
  amount: number
  description: string
  period: { start: number; end: number }
  proration: boolean
}

/** An invoice line for one item of a subscription. */
export function invoiceLine(store: Store, item: SubscriptionItem, facts: LineFacts): InvoiceLine {
  return {
    id: store.id('il_1'),
    object: 'line_item',
    amount: facts.amount,
    currency: item.price.currency,
    description: facts.description,
    discount_amounts: [],
    discountable: !facts.proration,
    discounts: [],
    invoice: null,
    livemode: false,
    metadata: {},
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: facts.proration ? store.id('ii_1') : null,
        proration: facts.proration,
        proration_details: { credited_items: null },
        subscription: item.subscription,
        subscription_item: item.id,
      },
      type: 'subscription_item_details',
    },
    period: facts.period,
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: item.price.id, product: item.price.product },
      type: 'price_details',
      unit_amount_decimal: Stripe.Decimal.from(item.price.unit_amount ?? 0),
    },
    quantity: item.quantity,
    quantity_decimal: Stripe.Decimal.from(item.quantity),
    subscription: item.subscription,
    subtotal: facts.amount,
    taxes: [],
  }
}

export const invoiceFilters = {
  customer: text.optional(),
  subscription: text.optional(),
  status: oneOf('draft', 'open', 'paid', 'uncollectible', 'void').optional(),
  collection_method: oneOf('charge_automatically', 'send_invoice').optional(),
  created: range.optional(),
}

export const invoicePay = params({ payment_method: text.optional() })
