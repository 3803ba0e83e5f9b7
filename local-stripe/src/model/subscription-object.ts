/** The subscription object: its initial state and values derived from it. */
import { periodEnd } from './calendar.ts'
import type { Price, Subscription, SubscriptionItem } from './objects.ts'
import type { Store } from './store.ts'

/** A new subscription, from a request or a checkout. */
export interface NewSubscription {
  customer: string
  items: readonly { price: Price; quantity: number; metadata?: Record<string, string> }[]
  card: string | null
  description: string | null
  metadata: Record<string, string>
  /** End of the trial; null without a trial. */
  trialEnd: number | null
  missingCardAtTrialEnd: 'cancel' | 'create_invoice' | 'pause'
  paymentBehavior: 'allow_incomplete' | 'default_incomplete' | 'error_if_incomplete'
}

interface Period {
  start: number
  end: number
}

export function newSubscription(store: Store, wanted: NewSubscription, price: Price): Subscription {
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

export function newItem(
  store: Store,
  subscription: string,
  { price, quantity, metadata = {} }: NewSubscription['items'][number],
  period: Period,
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

/** The legacy plan object of a recurring price. */
export function planOf(price: Price): SubscriptionItem['plan'] {
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

/** The current billing period; all items have the same. */
export const periodOf = ({ items }: Subscription): Period => ({
  start: items.data[0]?.current_period_start ?? 0,
  end: items.data[0]?.current_period_end ?? 0,
})

/** The subscription in another period. If it cancels at the period's end, the cancellation moves too. */
export const withPeriod = (subscription: Subscription, { start, end }: Period): Subscription => ({
  ...subscription,
  cancel_at: subscription.cancel_at_period_end ? end : subscription.cancel_at,
  items: {
    ...subscription.items,
    data: subscription.items.data.map((item) => ({ ...item, current_period_start: start, current_period_end: end })),
  },
})

export const amountOf = ({ price, quantity }: Pick<SubscriptionItem, 'price' | 'quantity'>): number =>
  (price.unit_amount ?? 0) * quantity

export const totalOf = ({ items }: Subscription): number => items.data.reduce((sum, item) => sum + amountOf(item), 0)

export const hasEnded = (status: string): boolean => status === 'canceled' || status === 'incomplete_expired'
