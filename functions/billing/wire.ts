/** Billing in the records of the published contract. */
import * as z from 'zod'
import type { Invoice, InvoiceSummary } from '../../shared/billing/invoice-view.ts'
import { maxInvoices } from '../../shared/billing/invoice-view.ts'
import type { PlanCode } from '../../shared/billing/plans.ts'
import type { SubscriptionStatus } from '../../shared/billing/projection.ts'
import type { BillingView, ReconciledBilling, SupportContext } from '../../shared/billing/view.ts'
import { wire } from '../../shared/http/published.ts'
import { lazy } from '../../shared/lazy.ts'
import { ProblemError } from '../../shared/problem.ts'

const intervals = ['monthly', 'annual'] as const

export const checkoutView = lazy(() =>
  wire({
    query: z.object({
      interval: z.enum(intervals).optional().meta({ description: 'Billing interval. Default: monthly.' }),
    }),
    body: z.strictObject({ plan: z.string(), success_url: z.string(), cancel_url: z.string() }),
    toInput: (body, { query }) => ({ ...body, interval: query.interval ?? 'monthly' }),
    toAnswer: ({ session_id, url }: { session_id: string; url: string }) => ({ session_id, url }),
  }),
)

export const portalView = lazy(() => wire({ body: z.strictObject({ return_url: z.string() }) }))

/** Stripe statuses missing from the published contract, each with the nearest published status. */
const nearest: Partial<Record<SubscriptionStatus, string>> = { unpaid: 'past_due', incomplete_expired: 'canceled' }

/** An organization without a subscription is `active`: it owes nothing. */
function statusOf(status: SubscriptionStatus | null | undefined): string {
  const named = status ?? 'active'
  return nearest[named] ?? named
}

const toBilling = ({ plan, subscription, customer_id }: BillingView, { orgId }: { orgId: string }) => ({
  org_id: orgId,
  plan: plan.code,
  status: statusOf(subscription?.status),
  billing_interval: subscription?.interval ?? null,
  stripe_customer_id: customer_id,
  current_period_end: subscription?.current_period_end ?? null,
})

export const billingView = lazy(() => wire({ toAnswer: toBilling }))

export const billingUpdate = lazy(() =>
  wire({
    body: z.strictObject({ plan: z.string() }),
    // The published record has no reason, but our audit trail requires one.
    toInput: ({ plan }) => ({ plan, reason: 'set through /api/v1' }),
    toAnswer: toBilling,
  }),
)

/** @throws ProblemError `conflict` for a session that is not paid */
export const reconciliation = lazy(() =>
  wire({
    body: z.strictObject({ session_id: z.string() }),
    toAnswer: (billing: ReconciledBilling, context) => {
      const { status, payment_status } = billing.checkout
      if (status !== 'complete' || payment_status === 'unpaid')
        throw new ProblemError('conflict', 'The checkout is not complete: it has not been paid.', {
          published: 'checkout_not_complete',
        })
      return { ...toBilling(billing, context), stripe_subscription_id: billing.subscription?.id ?? null }
    },
  }),
)

const unixSeconds = (instant: string): number => Math.floor(Date.parse(instant) / 1000)

const toSummary = <T extends InvoiceSummary>(summary: T) => ({ ...summary, created: unixSeconds(summary.created) })

/** The published record has no `amount_remaining`. */
const toInvoice = ({ amount_remaining: _ours, ...invoice }: Invoice) => ({
  ...toSummary(invoice),
  period_start: unixSeconds(invoice.period_start),
  period_end: unixSeconds(invoice.period_end),
})

export const invoicesView = lazy(() =>
  wire({
    pageSize: maxInvoices,
    toAnswer: ({ data }: { data: readonly Invoice[] }) => ({ invoices: data.map(toInvoice) }),
  }),
)

const supportTiers = { free: 'community', team: 'standard', enterprise: 'priority' } as const satisfies Record<
  PlanCode,
  string
>

export const supportView = lazy(() =>
  wire({
    toAnswer: (context: SupportContext, { orgId }) => ({
      org_id: orgId,
      plan: context.plan,
      status: statusOf(context.subscription_status),
      billing_interval: context.interval,
      stripe_customer_id: context.customer_id,
      stripe_subscription_id: context.subscription_id,
      latest_invoice: context.latest_invoice ? toSummary(context.latest_invoice) : null,
      support_tier: supportTiers[context.plan],
    }),
  }),
)
