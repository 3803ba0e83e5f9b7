/** Checkout sessions: an offer that a buyer accepts on a page, or that expires. */
import * as z from 'zod'
import { invalidRequest } from './api-error.ts'
import { hourSeconds } from './calendar.ts'
import { addCard, type CardNumber, declineLaterCharges } from './cards.ts'
import { sellablePrice } from './catalog.ts'
import { createCustomer } from './customers.ts'
import type { CheckoutSession, LineItem } from './objects.ts'
import {
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
  webUrl,
} from './params.ts'
import type { Store } from './store.ts'
import { trialEndOf } from './subscription-update.ts'
import { startSubscription } from './subscriptions.ts'

const [minSeconds, maxSeconds] = [hourSeconds / 2, 24 * hourSeconds]

export const sessionCreate = params({
  mode: oneOf('subscription', 'payment', 'setup'),
  line_items: listOf(
    z.strictObject({
      price: text,
      quantity: integerIn(1).optional(),
      adjustable_quantity: z
        .strictObject({ enabled: flag, minimum: integer.optional(), maximum: integer.optional() })
        .optional(),
    }),
  ),
  success_url: webUrl,
  cancel_url: webUrl.optional(),
  client_reference_id: text.optional(),
  customer: text.optional(),
  customer_email: text.optional(),
  expires_at: integer.optional(),
  metadata: metadata.optional(),
  subscription_data: z
    .strictObject({
      description: text.optional(),
      metadata: metadata.optional(),
      trial_end: integer.optional(),
      trial_period_days: integerIn(1, 730).optional(),
    })
    .optional(),
  allow_promotion_codes: flag.optional(),
  automatic_tax: z.strictObject({ enabled: flag }).optional(),
  billing_address_collection: oneOf('auto', 'required').optional(),
  customer_update: z
    .strictObject({ address: text.optional(), name: text.optional(), shipping: text.optional() })
    .optional(),
  locale: text.optional(),
  payment_method_collection: oneOf('always', 'if_required').optional(),
  tax_id_collection: z.strictObject({ enabled: flag }).optional(),
  ui_mode: oneOf('hosted_page').optional(),
})

type SessionCreate = z.output<typeof sessionCreate>

export function createSession(store: Store, given: SessionCreate): CheckoutSession {
  refuseUnsupported(store, given)
  if (given.customer) store.need('customer', given.customer, 'customer')
  const id = store.id('cs_test_', 58)
  const items = given.line_items.map((item, index) => lineItem(store, item, index))
  const total = items.reduce((sum, { amount_total }) => sum + amount_total, 0)
  const trial = given.subscription_data
  store.put('session_details', {
    id,
    lineItems: items,
    subscription: {
      description: trial?.description ?? null,
      metadata: mergeMetadata({}, trial?.metadata),
      trialDays: trial?.trial_period_days ?? 0,
      trialEnd: trial?.trial_end ?? null,
    },
  })
  const now = store.now()
  const dueNow = trial?.trial_end || trial?.trial_period_days ? 0 : total
  return store.put('checkout.session', {
    id,
    ...blankSession,
    ...optionsOf(given),
    amount_subtotal: dueNow,
    amount_total: dueNow,
    created: now,
    currency: items[0]?.currency ?? null,
    expires_at: given.expires_at ?? now + maxSeconds,
    url: `${store.pagesUrl}/checkout/${id}`,
  })
}

/** The fields of a session that the request sets. */
const optionsOf = (given: SessionCreate) =>
  ({
    allow_promotion_codes: given.allow_promotion_codes ?? null,
    automatic_tax: { enabled: given.automatic_tax?.enabled ?? false, liability: null, provider: null, status: null },
    billing_address_collection: given.billing_address_collection ?? null,
    cancel_url: given.cancel_url ?? null,
    client_reference_id: given.client_reference_id ?? null,
    customer: given.customer ?? null,
    customer_creation: given.customer ? null : 'always',
    customer_email: given.customer_email ?? null,
    locale: given.locale ?? null,
    metadata: mergeMetadata({}, given.metadata),
    payment_method_collection: given.payment_method_collection ?? 'always',
    success_url: given.success_url,
    tax_id_collection: { enabled: given.tax_id_collection?.enabled ?? false, required: 'never' },
  }) satisfies Partial<CheckoutSession>

const blankSession = {
  object: 'checkout.session',
  adaptive_pricing: null,
  after_expiration: null,
  allowed_payment_method_types: null,
  client_secret: null,
  collected_information: null,
  consent: null,
  consent_collection: null,
  currency_conversion: null,
  custom_fields: [],
  custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
  customer_account: null,
  customer_details: null,
  discounts: [],
  integration_identifier: null,
  invoice: null,
  invoice_creation: null,
  livemode: false,
  managed_payments: { enabled: false },
  mode: 'subscription',
  origin_context: null,
  payment_intent: null,
  payment_link: null,
  payment_method_configuration_details: null,
  payment_method_options: { card: { request_three_d_secure: 'automatic' } },
  payment_method_types: ['card'],
  payment_status: 'unpaid',
  permissions: null,
  phone_number_collection: { enabled: false },
  recovered_from: null,
  saved_payment_method_options: {
    allow_redisplay_filters: ['always'],
    payment_method_remove: 'disabled',
    payment_method_save: null,
  },
  setup_intent: null,
  shipping_address_collection: null,
  shipping_cost: null,
  shipping_options: [],
  status: 'open',
  submit_type: null,
  subscription: null,
  total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
  ui_mode: 'hosted_page',
  wallet_options: null,
} as const satisfies Partial<CheckoutSession>

function refuseUnsupported(
  store: Store,
  { mode, customer, customer_email, expires_at, line_items }: SessionCreate,
): void {
  if (mode !== 'subscription') throw invalidRequest('The local Stripe sells subscriptions only.', { param: 'mode' })
  if (line_items.length === 0)
    throw invalidRequest('Missing required param: line_items.', { code: 'parameter_missing', param: 'line_items' })
  if (customer && customer_email) {
    throw invalidRequest('You may only specify one of these parameters: customer, customer_email.', {
      code: 'parameters_exclusive',
    })
  }
  if (expires_at === undefined) return
  const lasts = expires_at - store.now()
  if (lasts < minSeconds - 1 || lasts > maxSeconds) {
    throw invalidRequest(
      'The `expires_at` timestamp must be at least 30 minutes and less than 24 hours from Checkout Session creation.',
      { param: 'expires_at' },
    )
  }
}

function lineItem(store: Store, given: SessionCreate['line_items'][number], index: number): LineItem {
  const price = sellablePrice(store, given.price, `line_items[${index}][price]`)
  const { quantity = 1, adjustable_quantity: adjustable } = given
  const amount = (price.unit_amount ?? 0) * quantity
  return {
    id: store.id('li_1'),
    object: 'item',
    adjustable_quantity: adjustable
      ? { enabled: adjustable.enabled, minimum: adjustable.minimum ?? 0, maximum: adjustable.maximum ?? 99 }
      : null,
    amount_discount: 0,
    amount_subtotal: amount,
    amount_tax: 0,
    amount_total: amount,
    currency: price.currency,
    description: store.need('product', price.product).name,
    metadata: {},
    price,
    quantity,
  }
}

export const lineItemsOf = (store: Store, id: string): LineItem[] => store.need('session_details', id).lineItems

interface Payer extends CardNumber {
  email: string
  name: string | null
}

/** Pays a session: the subscription starts, or the card is declined and the session stays open. */
export function completeSession(store: Store, id: string, payer: Payer): CheckoutSession {
  const session = requireOpen(store, id)
  const { lineItems, subscription: planned } = store.need('session_details', id)
  const customer = session.customer ?? createCustomer(store, { email: payer.email, name: payer.name ?? undefined }).id
  const card = addCard(store, customer, payer)
  const subscription = startSubscription(store, {
    customer,
    items: lineItems.map(({ price, quantity }) => ({ price, quantity })),
    card: card.id,
    description: planned.description,
    metadata: planned.metadata,
    trialEnd: trialEndOf(store, planned.trialEnd, planned.trialDays || undefined),
    missingCardAtTrialEnd: 'create_invoice',
    paymentBehavior: 'error_if_incomplete',
  })
  declineLaterCharges(store, card)
  const completed = store.change('checkout.session', id, {
    customer,
    customer_details: {
      address: null,
      business_name: null,
      email: payer.email,
      individual_name: null,
      name: payer.name,
      phone: null,
      tax_exempt: 'none',
      tax_ids: [],
    },
    invoice: subscription.latest_invoice,
    payment_status: session.amount_total === 0 ? 'no_payment_required' : 'paid',
    status: 'complete',
    subscription: subscription.id,
    url: null,
  })
  store.emit('checkout.session.completed', completed)
  return completed
}

/** Expires an open session. */
export function expireSession(store: Store, id: string): CheckoutSession {
  requireOpen(store, id)
  const expired = store.change('checkout.session', id, { status: 'expired', url: null, expires_at: store.now() })
  store.emit('checkout.session.expired', expired)
  return expired
}

function requireOpen(store: Store, id: string): CheckoutSession {
  const session = store.need('checkout.session', id)
  if (session.status === 'open') return session
  throw invalidRequest(
    `Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of \`${session.status}\`.`,
  )
}

export const sessionFilters = {
  customer: text.optional(),
  subscription: text.optional(),
  status: oneOf('open', 'complete', 'expired').optional(),
  created: range.optional(),
}
