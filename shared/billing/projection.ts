/**
 * What Stripe says of an org's subscriptions, as one answer: which subscription counts, and the plan it gives. Whatever
 * order Stripe lists them in, the answer is the same.
 */
import { type AuditChange, changedFields } from '../audit/event.ts'
import { type PlanCode, planCodes } from './plans.ts'

/** Stripe's statuses; the order is that in which a subscription is preferred to another of the same customer. */
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

/** Those that go on by themselves or could be taken up again: whoever has one must not buy a second. */
const liveStatuses: readonly SubscriptionStatus[] = ['active', 'trialing', 'past_due', 'unpaid', 'paused']
/** Those in which a subscription gives its plan. */
const givingStatuses: readonly SubscriptionStatus[] = ['active', 'trialing', 'past_due']

export type BillingInterval = 'monthly' | 'annual'

/** A subscription as it is stored and shown. Times are ISO 8601. */
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

/** A subscription as Stripe has it, with the plan of its price; null when the price belongs to no plan of ours. */
export interface SubscriptionState extends Subscription {
  plan: PlanCode | null
}

/** What follows from a customer's subscriptions. */
export interface BillingState {
  /** The plan that the subscription gives now; null when none does. */
  plan: PlanCode | null
  subscription: Subscription | null
  /** More than one is live; the one that counts is `subscription`. */
  subscription_conflict: boolean
  /** The price of the live subscription belongs to no plan, so that it gives none. */
  unknown_price: boolean
}

/** The state as it is stored, with when and why it was read. */
export interface BillingProjection extends BillingState {
  synced_at: string
  source: 'event' | 'reconcile' | 'sweep'
  /** Taken before Stripe was read; a lower one never replaces a higher. */
  sync_seq: number
  event_id: string | null
}

const nothing: BillingState = { plan: null, subscription: null, subscription_conflict: false, unknown_price: false }

export const isLive = ({ status }: Pick<Subscription, 'status'>): boolean => liveStatuses.includes(status)

/** The state that a customer's subscriptions amount to. */
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

/** The order of plans; none is the lowest. */
export const planRank = (plan: PlanCode | null): number => (plan === null ? -1 : planCodes.indexOf(plan))

/** What it gives now: a subscription of no plan, such as an add-on, must not hide one that is paid for. */
const given = ({ status, plan }: SubscriptionState): number => (givingStatuses.includes(status) ? planRank(plan) : -1)

/** The highest plan that is given now, then by status, then the newest, then by id. */
function preferred(a: SubscriptionState, b: SubscriptionState): number {
  const byPlan = given(b) - given(a)
  if (byPlan !== 0) return byPlan
  const byStatus = subscriptionStatuses.indexOf(a.status) - subscriptionStatuses.indexOf(b.status)
  if (byStatus !== 0) return byStatus
  if (a.created_at !== b.created_at) return a.created_at > b.created_at ? -1 : 1
  return a.id < b.id ? -1 : 1
}

/** What people can see of the difference between two states, field by field. */
export function billingChanges(before: BillingState | undefined, after: BillingState): AuditChange[] {
  const [was, is] = [flat(before ?? nothing), flat(after)]
  const fields = [...new Set([...Object.keys(was), ...Object.keys(is)])]
  const whole = (part: Record<string, unknown>) =>
    Object.fromEntries(fields.map((field) => [field, part[field] ?? null]))
  return changedFields(whole(was), whole(is), fields)
}

/** Nested fields by dotted path, so that a change names what has changed and not all that stands around it. */
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
