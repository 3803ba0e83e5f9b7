/** Views of billing. */
import * as z from 'zod'
import { inOrder } from '../in-order.ts'
import { lazy } from '../lazy.ts'
import { activeOverride, type Billing, planOf } from './current-plan.ts'
import { invoiceSummarySchema } from './invoice-view.ts'
import { planCodes, planFeatures, plans } from './plans.ts'
import { type Subscription, subscriptionStatuses } from './projection.ts'

const instant = lazy(() => z.iso.datetime())
const maybeInstant = lazy(() => instant().nullable())

export const planField = lazy(() => z.enum(planCodes))
export const planSourceField = lazy(() =>
  z.enum(['default', 'stripe', 'override']).meta({ description: 'Where the plan comes from.' }),
)
const intervalField = lazy(() => z.enum(['monthly', 'annual']))
const subscriptionStatusField = lazy(() => z.enum(subscriptionStatuses))

const limits = lazy(() =>
  z.object(
    Object.fromEntries(Object.keys(plans.free.limits).map((name) => [name, z.int().nullable()])) as Record<
      keyof typeof plans.free.limits,
      z.ZodNullable<z.ZodInt>
    >,
  ),
)

const planSchema = lazy(() =>
  z
    .object({
      code: planField(),
      name: z.string(),
      limits: limits().meta({ description: 'null: no limit.' }),
      features: z.array(z.enum(planFeatures)),
    })
    .meta({ id: 'Plan' }),
)

const overrideSchema = lazy(() =>
  z
    .object({
      plan: planField(),
      reason: z.string(),
      expires_at: maybeInstant(),
      set_at: instant(),
      set_by: z.string().meta({ description: 'Id of the actor who set it.' }),
    })
    .meta({ id: 'PlanOverride', description: 'A plan that overrides the plan the organization pays for.' }),
)

const subscriptionSchema = lazy(() =>
  z
    .object({
      id: z.string(),
      status: subscriptionStatusField(),
      price: z
        .object({
          id: z.string(),
          lookup_key: z.string().nullable(),
          unit_amount: z.int().nullable().meta({ description: 'In the smallest unit of the currency.' }),
          currency: z.string(),
        })
        .nullable(),
      interval: intervalField().nullable(),
      quantity: z.int().nullable(),
      current_period_start: maybeInstant(),
      current_period_end: maybeInstant(),
      cancel_at_period_end: z.boolean(),
      cancel_at: maybeInstant(),
      canceled_at: maybeInstant(),
      ended_at: maybeInstant(),
      trial_start: maybeInstant(),
      trial_end: maybeInstant(),
      ends_at: maybeInstant().meta({
        description: 'When the subscription ends or ended: derived from cancellation and period; null: it renews.',
      }),
      created_at: instant(),
    })
    .meta({ id: 'Subscription', description: 'A subscription as Stripe had it at `projection.synced_at`.' }),
)

const billingFields = lazy(() => ({
  plan: planSchema(),
  plan_source: planSourceField(),
  override: overrideSchema().nullable().meta({ description: 'null when there is none, or when it has expired.' }),
  subscription: subscriptionSchema().nullable(),
  subscription_conflict: z
    .boolean()
    .meta({ description: 'The customer has more than one live subscription; `subscription` decides the plan.' }),
  unknown_price: z
    .boolean()
    .meta({ description: 'The price of the subscription belongs to no plan, so the subscription gives no plan.' }),
  customer_id: z.string().nullable(),
  projection: z
    .object({
      synced_at: instant(),
      source: z.enum(['event', 'reconcile', 'sweep']),
      sync_seq: z.int(),
      event_id: z.string().nullable(),
    })
    .nullable()
    .meta({ description: 'When and why the service last read Stripe; null: never.' }),
}))

export const billingSchema = lazy(() =>
  z.object(billingFields()).meta({
    id: 'Billing',
    description: 'The plan of an organization and where it comes from, as last read from Stripe.',
  }),
)

export const reconciledSchema = lazy(() =>
  z
    .object({
      ...billingFields(),
      checkout: z.object({
        status: z.enum(['open', 'complete', 'expired']).nullable(),
        payment_status: z.enum(['paid', 'unpaid', 'no_payment_required']),
      }),
    })
    .meta({ id: 'ReconciledBilling', description: 'Billing, and the outcome of the checkout.' }),
)

/** The fields of a cached answer. */
export const copyFields = lazy(() => ({
  cached_at: maybeInstant().meta({
    description: 'When the service read Stripe; null when the organization has no customer.',
  }),
  stale: z
    .boolean()
    .meta({ description: 'The data is outdated: Stripe returned an error when the service tried to refresh it.' }),
}))

export const supportContextSchema = lazy(() =>
  z
    .object({
      plan: planField(),
      plan_source: planSourceField(),
      subscription_status: subscriptionStatusField().nullable(),
      subscription_id: z.string().nullable(),
      interval: intervalField().nullable(),
      customer_id: z.string().nullable(),
      latest_invoice: invoiceSummarySchema().nullable(),
      ...copyFields(),
    })
    .meta({ id: 'BillingSupportContext' }),
)

export type BillingView = z.infer<ReturnType<typeof billingSchema>>
export type ReconciledBilling = z.infer<ReturnType<typeof reconciledSchema>>
export type SupportContext = z.infer<ReturnType<typeof supportContextSchema>>

const overrideOrder = ['plan', 'reason', 'expires_at', 'set_at', 'set_by'] as const
const subscriptionOrder = [
  ...(['id', 'status', 'price', 'interval', 'quantity', 'current_period_start', 'current_period_end'] as const),
  ...(['cancel_at_period_end', 'cancel_at', 'canceled_at', 'ended_at', 'trial_start', 'trial_end'] as const),
  'ends_at' as const,
  'created_at' as const,
]
const projectionOrder = ['synced_at', 'source', 'sync_seq', 'event_id'] as const

/** The view of billing at an instant. */
export function toBillingView(billing: Billing, now: Date) {
  const { plan, source } = planOf(billing, now)
  const { projection, customerId } = billing
  return {
    plan,
    plan_source: source,
    override: inOrderOrNull(overrideOrder, activeOverride(billing, now)),
    subscription: inOrderOrNull(subscriptionOrder, shownSubscription(projection?.subscription)),
    subscription_conflict: projection?.subscription_conflict ?? false,
    unknown_price: projection?.unknown_price ?? false,
    customer_id: customerId ?? null,
    projection: inOrderOrNull(projectionOrder, projection),
  }
}

type ShownSubscription = Subscription & { ends_at: string | null }

const shownSubscription = (subscription: Subscription | null | undefined): ShownSubscription | null =>
  subscription ? { ...subscription, ends_at: endOf(subscription) } : null

function endOf({ ended_at, cancel_at, cancel_at_period_end, current_period_end }: Subscription): string | null {
  return ended_at ?? cancel_at ?? (cancel_at_period_end ? current_period_end : null)
}

const inOrderOrNull = <T extends object, Name extends keyof T>(order: readonly Name[], part: T | null | undefined) =>
  part ? inOrder(order, part) : null
