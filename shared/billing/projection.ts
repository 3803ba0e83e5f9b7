/**
 * The billing state that follows from an org's subscriptions: which one counts, and the plan it gives. The result does
 * not depend on the order in which Stripe lists them.
 */
import { type AuditChange, changedFields } from '../audit/event.ts'
import { type PlanCode, planCodes } from './plans.ts'

/** Stripe's statuses, from most to least preferred among the subscriptions of one customer. */
export const subscriptionStatuses = [
  'active',
  'trialing',
  'past_due',
  'unpaid',
  'paused',
  'incomplete',
  'canceled',
  'incomplete_expired',
] as const
export type SubscriptionStatus = (typeof subscriptionStatuses)[number]

/** Statuses that continue or can resume. A customer with one must not buy a second subscription. */
const liveStatuses: readonly SubscriptionStatus[] = ['active', 'trialing', 'past_due', 'unpaid', 'paused']
/** Statuses in which a subscription gives its plan. */
const givingStatuses: readonly SubscriptionStatus[] = ['active', 'trialing', 'past_due']

export type BillingInterval = 'monthly' | 'annual'

/** A subscription as stored and served. Times are ISO 8601. */
export interface Subscription {
  id: string
  status: SubscriptionStatus
  price: { id: string; lookup_key: string | null; unit_amount: number | null; currency: string } | null
  interval: BillingInterval | null
  quantity: number | null
  current_period_start: string | null
  current_period_end: string | null
  cancel_at_period_end: boolean
  cancel_at: string | null
  canceled_at: string | null
  ended_at: string | null
  trial_start: string | null
  trial_end: string | null
  created_at: string
}

/** A subscription as Stripe has it, with the plan of its price; null when no plan has the price. */
export interface SubscriptionState extends Subscription {
  plan: PlanCode | null
}

/** The billing state of a customer. */
export interface BillingState {
  /** The plan that the subscription gives now; null: none. */
  plan: PlanCode | null
  subscription: Subscription | null
  /** More than one subscription is live; `subscription` is the one that counts. */
  subscription_conflict: boolean
  /** The price of the live subscription belongs to no plan, so it gives none. */
  unknown_price: boolean
}

/** The stored state, with the time and cause of the sync. */
export interface BillingProjection extends BillingState {
  synced_at: string
  source: 'event' | 'reconcile' | 'sweep'
  /** Issued before Stripe is read. A lower number never replaces a higher one. */
  sync_seq: number
  event_id: string | null
}

const nothing: BillingState = { plan: null, subscription: null, subscription_conflict: false, unknown_price: false }

export const isLive = ({ status }: Pick<Subscription, 'status'>): boolean => liveStatuses.includes(status)

/** The billing state of a customer with these subscriptions. */
export function billingStateOf(subscriptions: readonly SubscriptionState[]): BillingState {
  const [first] = subscriptions.toSorted(preferred)
  if (!first) return nothing
  const { plan, ...subscription } = first
  const gives = givingStatuses.includes(subscription.status)
  return {
    plan: gives ? plan : null,
    subscription,
    subscription_conflict: subscriptions.filter(isLive).length > 1,
    unknown_price: gives && plan === null,
  }
}

/** The order of plans; no plan is the lowest. */
export const planRank = (plan: PlanCode | null): number => (plan === null ? -1 : planCodes.indexOf(plan))

/** The rank of the plan given now. A subscription without a plan, such as an add-on, must not hide a paid plan. */
const given = ({ status, plan }: SubscriptionState): number => (givingStatuses.includes(status) ? planRank(plan) : -1)

/** Order: highest plan given now, then status, then newest, then id. */
function preferred(a: SubscriptionState, b: SubscriptionState): number {
  const byPlan = given(b) - given(a)
  if (byPlan !== 0) return byPlan
  const byStatus = subscriptionStatuses.indexOf(a.status) - subscriptionStatuses.indexOf(b.status)
  if (byStatus !== 0) return byStatus
  if (a.created_at !== b.created_at) return a.created_at > b.created_at ? -1 : 1
  return a.id < b.id ? -1 : 1
}

/** The visible differences between two states, field by field. */
export function billingChanges(before: BillingState | undefined, after: BillingState): AuditChange[] {
  const [was, is] = [flat(before ?? nothing), flat(after)]
  const fields = [...new Set([...Object.keys(was), ...Object.keys(is)])]
  const whole = (part: Record<string, unknown>) =>
    Object.fromEntries(fields.map((field) => [field, part[field] ?? null]))
  return changedFields(whole(was), whole(is), fields)
}

/** Nested fields by dotted path, so that a change names only the fields that differ. */
function flat({ plan, subscription, subscription_conflict, unknown_price }: BillingState): Record<string, unknown> {
  const { price, ...fields } = subscription ?? {}
  return {
    plan,
    ...Object.fromEntries(Object.entries(fields).map(([field, value]) => [`subscription.${field}`, value])),
    ...Object.fromEntries(Object.entries(price ?? {}).map(([field, value]) => [`subscription.price.${field}`, value])),
    subscription_conflict,
    unknown_price,
  }
}
