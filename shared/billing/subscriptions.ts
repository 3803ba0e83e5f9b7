/** Reading a customer's subscriptions from Stripe, and the plan that each one's price belongs to. */
import type Stripe from 'stripe'
import { log } from '../runtime/log.ts'
import { isMissing } from '../stripe/client.ts'
import { type PlanCode, planCodes } from './plans.ts'
import { type BillingPorts, realPorts } from './ports.ts'
import {
  type BillingInterval,
  isLive,
  type SubscriptionState,
  type SubscriptionStatus,
  subscriptionStatuses,
} from './projection.ts'

/** Nobody has so many; what is beyond, oldest first, is canceled and long gone. */
const mostSubscriptions = 300

/** Every subscription of a customer, whatever its status; none, when Stripe does not know the customer. */
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
    .autoPagingToArray({ limit: mostSubscriptions })
    .catch((error: unknown) => {
      if (isMissing(error)) return []
      throw error
    })

/** A subscription that goes on or could be taken up again, whatever its price. */
export async function liveSubscription(stripe: Stripe, customerId: string): Promise<SubscriptionRef | undefined> {
  const found = await listSubscriptions(stripe, customerId)
  return found.map((each) => ({ id: each.id, status: statusOf(each) })).find(isLive)
}

type SubscriptionRef = Pick<SubscriptionState, 'id' | 'status'>

async function toState(stripe: Stripe, subscription: Stripe.Subscription): Promise<SubscriptionState> {
  const { plan, item } = await countingItem(stripe, subscription)
  return {
    id: subscription.id,
    status: statusOf(subscription),
    plan,
    price: item ? toPrice(item.price) : null,
    interval: item ? intervalOf(item.price) : null,
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

/** Of several items the one whose plan is the highest; add-ons belong to no plan. */
async function countingItem(stripe: Stripe, { items }: Stripe.Subscription) {
  const judged = await Promise.all(
    items.data.map(async (item) => ({ item, plan: await planOfPrice(stripe, item.price) })),
  )
  const rank = ({ plan }: { plan: PlanCode | null }) => (plan === null ? -1 : planCodes.indexOf(plan))
  const [best] = judged.toSorted((a, b) => rank(b) - rank(a) || (a.item.id < b.item.id ? -1 : 1))
  return best ?? { item: undefined, plan: null }
}

/**
 * The plan of a price: by its lookup key, which only the current price of a plan has; else by `octomil_plan` in the
 * metadata of the price or of its product, for older prices and for those of contracts.
 */
async function planOfPrice(stripe: Stripe, price: Stripe.Price): Promise<PlanCode | null> {
  const named = /^octomil_([a-z]+)_(?:monthly|annual)$/.exec(price.lookup_key ?? '')?.[1] ?? price.metadata.octomil_plan
  if (named !== undefined) return planNamed(named)
  const product = typeof price.product === 'string' ? await stripe.products.retrieve(price.product) : price.product
  return planNamed(product.deleted ? undefined : product.metadata.octomil_plan)
}

const planNamed = (name: string | undefined): PlanCode | null => planCodes.find((code) => code === name) ?? null

function statusOf({ id, status }: Stripe.Subscription): SubscriptionStatus {
  const known = subscriptionStatuses.find((candidate) => candidate === status)
  if (!known) log.warn('Stripe has a status of subscriptions that this version does not know', { id, status })
  return known ?? 'incomplete'
}

const toPrice = ({ id, lookup_key, unit_amount, currency }: Stripe.Price) => ({ id, lookup_key, unit_amount, currency })

const intervals: Record<string, BillingInterval> = { month: 'monthly', year: 'annual' }
const intervalOf = ({ recurring }: Stripe.Price): BillingInterval | null =>
  recurring?.interval_count === 1 ? (intervals[recurring.interval] ?? null) : null

/** Stripe's epoch seconds as the time of this API. */
const instant = (epochSeconds: number | null | undefined): string | null =>
  typeof epochSeconds === 'number' ? new Date(epochSeconds * 1000).toISOString() : null
