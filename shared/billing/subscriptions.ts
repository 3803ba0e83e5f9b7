/** Reads a customer's subscriptions from Stripe, and the plan of each price. */
import type Stripe from 'stripe'
import { log } from '../runtime/log.ts'
import { isMissing } from '../stripe/client.ts'
import { isDeletedCustomer } from './known-customer.ts'
import { type PlanCode, planCodes } from './plans.ts'
import { type BillingPorts, realPorts } from './ports.ts'
import { rememberedPlan, rememberPlan } from './price-plans.ts'
import {
  type BillingInterval,
  isLive,
  planRank,
  type SubscriptionState,
  type SubscriptionStatus,
  subscriptionStatuses,
} from './projection.ts'

/** More than any customer has. Older ones beyond it were canceled long ago. */
const maxSubscriptions = 300
/** Stripe allows 20 items in a subscription. */
const maxItems = 100

/**
 * Every subscription of a customer, of any status; none if Stripe has deleted the customer.
 *
 * @throws ProblemError `service_unavailable` when Stripe does not know the customer
 */
export const readSubscriptions = (
  customerId: string,
  { callStripe }: Pick<BillingPorts, 'callStripe'> = realPorts,
): Promise<readonly SubscriptionState[]> =>
  callStripe(async (stripe) => {
    const found = await listSubscriptions(stripe, customerId)
    return Promise.all(found.map((subscription) => toState(stripe, subscription)))
  })

const listSubscriptions = (stripe: Stripe, customer: string): Promise<Stripe.Subscription[]> =>
  stripe.subscriptions
    .list({ customer, status: 'all', limit: 100 })
    .autoPagingToArray({ limit: maxSubscriptions })
    .catch(async (error: unknown) => {
      if (isMissing(error) && (await isDeletedCustomer(stripe, customer))) return []
      throw error
    })

/**
 * A live subscription of a plan, or from our own checkout. A second one would be paid twice. Other subscriptions, such
 * as a support contract, give no plan and do not prevent a purchase.
 */
export async function livePlanSubscription(stripe: Stripe, customerId: string): Promise<SubscriptionState | undefined> {
  const found = (await listSubscriptions(stripe, customerId)).filter((each) => isLive({ status: statusOf(each) }))
  for (const subscription of found) {
    const state = await toState(stripe, subscription)
    if (state.plan !== null || subscription.metadata?.org_id !== undefined) return state
  }
  return undefined
}

async function toState(stripe: Stripe, subscription: Stripe.Subscription): Promise<SubscriptionState> {
  const { plan, item, price } = await countingItem(stripe, subscription)
  return {
    id: subscription.id,
    status: statusOf(subscription),
    plan,
    price: price ? toPrice(price) : null,
    interval: price ? intervalOf(price) : null,
    quantity: item?.quantity ?? null,
    current_period_start: instant(item?.current_period_start),
    current_period_end: instant(item?.current_period_end),
    cancel_at_period_end: subscription.cancel_at_period_end,
    cancel_at: instant(subscription.cancel_at),
    canceled_at: instant(subscription.canceled_at),
    ended_at: instant(subscription.ended_at),
    trial_start: instant(subscription.trial_start),
    trial_end: instant(subscription.trial_end),
    created_at: new Date(subscription.created * 1000).toISOString(),
  }
}

/** The item with the highest plan. Add-ons have no plan. */
async function countingItem(stripe: Stripe, subscription: Stripe.Subscription) {
  const items = await itemsOf(stripe, subscription)
  const judged = await Promise.all(
    items.map(async (item) => {
      const price = priceOfItem(item)
      return { item, price, plan: price ? await planOfPrice(stripe, price, subscription) : null }
    }),
  )
  const [best] = judged.toSorted((a, b) => planRank(b.plan) - planRank(a.plan) || (a.item.id < b.item.id ? -1 : 1))
  return best ?? { item: undefined, price: undefined, plan: null }
}

/** A subscription contains its first items only; the rest need another request. */
async function itemsOf(stripe: Stripe, { id, items }: Stripe.Subscription): Promise<Stripe.SubscriptionItem[]> {
  if (!items?.has_more) return items?.data ?? []
  return stripe.subscriptionItems.list({ subscription: id, limit: 100 }).autoPagingToArray({ limit: maxItems })
}

type PriceLike = Pick<
  Stripe.Price,
  'id' | 'lookup_key' | 'unit_amount' | 'currency' | 'recurring' | 'metadata' | 'product'
>

/** Items of older API versions have a `plan` instead of a price. An item with neither gives no plan. */
function priceOfItem({ price, plan }: Partial<Pick<Stripe.SubscriptionItem, 'price' | 'plan'>>): PriceLike | undefined {
  if (price) return price
  if (!plan) return undefined
  const { id, amount, currency, interval, interval_count, metadata, product } = plan
  return {
    id,
    lookup_key: null,
    unit_amount: amount,
    currency,
    recurring: { interval, interval_count } as Stripe.Price.Recurring,
    metadata: metadata ?? {},
    product: product ?? '',
  }
}

/**
 * The plan of a price: by its lookup key, then by `octomil_plan` in its metadata or that of its product. A price that
 * no longer names a plan keeps its last known plan, or the plan that our checkout sold.
 */
async function planOfPrice(stripe: Stripe, price: PriceLike, subscription: Stripe.Subscription) {
  const ofLookupKey = /^octomil_([a-z]+)_(?:monthly|annual)$/.exec(price.lookup_key ?? '')?.[1]
  const named = planNamed(ofLookupKey ?? price.metadata?.octomil_plan)
  if (named) {
    await rememberPlan(price.id, named)
    return named
  }
  const ofProduct = await planOfProduct(stripe, price, subscription)
  if (ofProduct) await rememberPlan(price.id, ofProduct)
  return ofProduct ?? (await rememberedPlan(price.id)) ?? planSold(stripe, price, subscription)
}

/**
 * The plan that our checkout stored in the subscription, for the sold price and others of the same product. In the
 * portal, a customer can change to a price that loses its lookup key before our first sync.
 */
async function planSold(stripe: Stripe, price: PriceLike, subscription: Stripe.Subscription): Promise<PlanCode | null> {
  const { octomil_plan, octomil_price: sold } = subscription.metadata ?? {}
  const plan = planNamed(octomil_plan)
  if (plan === null || sold === undefined || !isLive({ status: statusOf(subscription) })) return null
  if (sold === price.id) return plan
  const product = await productOf(stripe, sold)
  return product !== undefined && product === idOf(price.product) ? plan : null
}

/** The product of a price; undefined when Stripe does not know the price. */
const productOf = (stripe: Stripe, priceId: string): Promise<string | undefined> =>
  stripe.prices.retrieve(priceId).then(
    ({ product }) => idOf(product),
    (error: unknown) => {
      if (isMissing(error)) return undefined
      throw error
    },
  )

const idOf = (reference: string | { id: string }): string => (typeof reference === 'string' ? reference : reference.id)

/** An ended subscription gives no plan, so this does not read its product. */
async function planOfProduct(stripe: Stripe, { product }: PriceLike, subscription: Stripe.Subscription) {
  if (!product || !isLive({ status: statusOf(subscription) })) return null
  const found = typeof product === 'string' ? await stripe.products.retrieve(product) : product
  return planNamed(found.deleted ? undefined : found.metadata.octomil_plan)
}

const planNamed = (name: string | undefined): PlanCode | null => planCodes.find((code) => code === name) ?? null

function statusOf({ id, status }: Stripe.Subscription): SubscriptionStatus {
  const known = subscriptionStatuses.find((candidate) => candidate === status)
  if (!known) log.warn('unknown status of a Stripe subscription', { id, status })
  // `paused` is live, so we sell no second subscription, and gives no plan for free.
  return known ?? 'paused'
}

const toPrice = ({ id, lookup_key, unit_amount, currency }: PriceLike) => ({ id, lookup_key, unit_amount, currency })

const intervals: Record<string, BillingInterval> = { month: 'monthly', year: 'annual' }
const intervalOf = ({ recurring }: PriceLike): BillingInterval | null =>
  recurring?.interval_count === 1 ? (intervals[recurring.interval] ?? null) : null

/** Converts Stripe's epoch seconds to ISO 8601. */
const instant = (epochSeconds: number | null | undefined): string | null =>
  typeof epochSeconds === 'number' ? new Date(epochSeconds * 1000).toISOString() : null
