/** Billing: Stripe checkout and portal, the subscription as last read from Stripe, and the plan override. */
import * as z from 'zod'
import { changeAccess, readAccess } from '../../shared/access.ts'
import { invoiceSchema, maxInvoices } from '../../shared/billing/invoice-view.ts'
import { returnUrlField } from '../../shared/billing/return-url.ts'
import {
  billingSchema,
  copyFields,
  planField,
  reconciledSchema,
  supportContextSchema,
} from '../../shared/billing/view.ts'
import { countQuery, futureInstantField, isVisible } from '../../shared/fields.ts'
import { operation } from '../../shared/http/operation.ts'
import { patchBody } from '../../shared/http/patch.ts'
import { lazy } from '../../shared/lazy.ts'
import { withoutKeys } from '../../shared/pasted-credentials.ts'
import {
  billingUpdate,
  billingView,
  checkoutView,
  invoicesView,
  portalView,
  reconciliation,
  supportView,
} from './wire.ts'

const tag = 'Billing'

export const reconcileCheckout = operation({
  id: 'settings.billing.checkout.reconcile',
  route: 'POST /api/v2/settings/billing/checkout/reconcile',
  tag,
  scope: 'billing:write',
  summary: 'Reconcile a checkout',
  description:
    'Call it when the buyer returns from Stripe. Reads the session from Stripe and updates billing if the session is paid. Stripe’s event does the same. An unpaid session changes nothing.',
  request: () => ({
    body: z.strictObject({
      session_id: z.string().min(1).max(255).meta({ description: '`session_id` returned by the checkout.' }),
    }),
  }),
  answers: () => ({ 200: reconciledSchema() }),
  published: [
    {
      id: 'settings.billing.checkout.reconcile',
      records: { request: 'ReconcileCheckoutRequest', answer: 'ReconcileCheckoutResponse' },
      wire: reconciliation,
    },
  ],
  refusals: ['not_found', 'conflict', 'upstream_error'],
  access: { ...changeAccess, stripe: true },
  audit: { action: 'billing.subscription_synced', resource: 'billing' },
})

const checkoutSchema = lazy(() =>
  z
    .object({
      session_id: z.string(),
      url: z.string().meta({ description: 'Stripe page to redirect the buyer to.' }),
      expires_at: z.iso.datetime(),
      plan: z.literal('team'),
      interval: z.enum(['monthly', 'annual']),
      quantity: z.int(),
    })
    .meta({ id: 'CheckoutSession' }),
)

export const createCheckoutSession = operation({
  id: 'settings.create-checkout-session',
  route: 'POST /api/v2/settings/billing/checkout',
  tag,
  scope: 'billing:write',
  summary: 'Start a checkout',
  description:
    'Creates a Stripe checkout session. If a session for the same purchase is open, returns it with 200. Expires an open session for another purchase. An organization with a live subscription gets 409: change its plan in the portal.',
  request: () => ({
    body: z.strictObject({
      plan: z.literal('team').meta({ description: 'Plan to buy.' }),
      interval: z.enum(['monthly', 'annual']).meta({ description: 'Billing interval.' }),
      quantity: z.int().min(1).max(1000).default(1).meta({ description: 'Number of seats.' }),
      success_url: returnUrlField().meta({
        description:
          'URL to which the buyer returns. Stripe replaces {CHECKOUT_SESSION_ID} with the session id. Its origin must be a dashboard origin of this deployment.',
      }),
      cancel_url: returnUrlField(),
    }),
  }),
  answers: () => ({ 200: checkoutSchema(), 201: checkoutSchema() }),
  published: [
    {
      id: 'settings.billing.create_checkout_session',
      records: { request: 'CheckoutRequest', answer: 'CheckoutResponse' },
      wire: checkoutView,
    },
  ],
  refusals: ['conflict', 'upstream_error'],
  access: { ...changeAccess, stripe: true },
  audit: { action: 'billing.checkout_started', resource: 'billing' },
})

export const createPortalSession = operation({
  id: 'settings.create-portal-session',
  route: 'POST /api/v2/settings/billing/portal',
  tag,
  scope: 'billing:write',
  summary: 'Open the billing portal',
  description:
    'Creates a Stripe portal session to manage the subscription, payment methods and invoices. The URL expires within minutes. Before the first checkout: 409.',
  request: () => ({ body: z.strictObject({ return_url: returnUrlField() }) }),
  bodyMayBeAbsent: true,
  answers: () => ({ 201: z.object({ url: z.string() }).meta({ id: 'PortalSession' }) }),
  published: [
    {
      id: 'settings.billing.create_portal_session',
      records: { request: 'PortalRequest', answer: 'PortalResponse' },
      wire: portalView,
    },
  ],
  refusals: ['conflict', 'upstream_error'],
  access: { ...changeAccess, stripe: true },
  audit: { action: 'billing.portal_opened', resource: 'billing' },
})

export const getBilling = operation({
  id: 'settings.get-billing',
  route: 'GET /api/v2/settings/billing',
  tag,
  scope: 'billing:read',
  summary: 'Get billing',
  description: 'Returns the plan, its source, and the subscription as last read from Stripe. Does not call Stripe.',
  answers: () => ({ 200: billingSchema() }),
  published: [{ id: 'settings.billing.get', records: { answer: 'BillingResponse' }, wire: billingView }],
  access: readAccess,
})

export const updateBilling = operation({
  id: 'settings.update-billing',
  route: 'PATCH /api/v2/settings/billing',
  tag,
  scope: 'billing:override',
  summary: 'Override the plan',
  description:
    'Sets the organization’s plan regardless of its subscription, until `expires_at` or until `plan: null` clears it. Stripe’s state is stored separately and never overwrites the override. For administration and development: protected stages refuse it (403) unless they enable it. A stage with a live Stripe key always refuses it.',
  request: () => ({
    body: patchBody({
      plan: planField().nullable().meta({ description: 'Plan to set. null clears the override.' }),
      reason: z
        .string()
        .max(500)
        .regex(/\S/, 'must not be blank')
        .refine(isVisible, 'must not be blank')
        .overwrite(withoutKeys)
        .meta({ description: 'Reason. Required with a plan.' }),
      expires_at: futureInstantField()
        .nullable()
        .meta({ description: 'Future time at which the override ends, in ISO 8601 with an offset. null: never.' }),
    }),
  }),
  answers: () => ({ 200: billingSchema() }),
  published: [
    {
      id: 'settings.billing.update',
      records: { request: 'UpdateBillingRequest', answer: 'BillingResponse' },
      wire: billingUpdate,
    },
  ],
  access: changeAccess,
  audit: { action: 'billing.override_set', resource: 'billing' },
})

export const listInvoices = operation({
  id: 'settings.list-invoices',
  route: 'GET /api/v2/settings/billing/invoices',
  tag,
  scope: 'billing:read',
  summary: 'List invoices',
  description: 'Lists the latest invoices from Stripe, newest first. The list is at most 90 seconds old.',
  request: () => ({
    query: z.object({
      limit: countQuery(1, maxInvoices, maxInvoices).meta({ description: 'Maximum number of invoices.' }),
    }),
  }),
  answers: () => ({
    200: z.object({
      data: z.array(invoiceSchema()),
      next_cursor: z.string().nullable().meta({ description: 'Always null: there is one page.' }),
      ...copyFields(),
    }),
  }),
  published: [{ id: 'settings.billing.invoices', records: { answer: 'BillingInvoicesResponse' }, wire: invoicesView }],
  refusals: ['upstream_error'],
  access: { ...readAccess, stripe: true },
})

export const getSupportContext = operation({
  id: 'settings.get-billing-support-context',
  route: 'GET /api/v2/settings/billing/support-context',
  tag,
  scope: 'billing:read',
  summary: 'Get billing context for support',
  description:
    'Returns the facts that support needs for a billing question. The latest invoice is at most 60 seconds old.',
  answers: () => ({ 200: supportContextSchema() }),
  published: [
    { id: 'settings.billing.support_context', records: { answer: 'BillingSupportContextResponse' }, wire: supportView },
  ],
  refusals: ['upstream_error'],
  access: { ...readAccess, stripe: true },
})
