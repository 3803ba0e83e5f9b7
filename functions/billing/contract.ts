/** Billing: checkout and portal at Stripe, what Stripe says of the subscription, and the override of the plan. */

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
    'For when the buyer comes back from Stripe: reads the session from Stripe and, once it is paid, brings billing up to date, as Stripe’s event will do too. An unpaid session changes nothing.',
  request: () => ({
    body: z.strictObject({
      session_id: z.string().min(1).max(255).meta({ description: '`session_id` of the checkout.' }),
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
      url: z.string().meta({ description: 'The page at Stripe to send the buyer to.' }),
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
    'Makes a checkout session at Stripe. An open session for the same purchase is answered again with 200; one for another purchase is expired. An organization that has a live subscription gets 409: it changes plans in the portal.',
  request: () => ({
    body: z.strictObject({
      plan: z.literal('team').meta({ description: 'The plan that is sold this way.' }),
      interval: z.enum(['monthly', 'annual']).meta({ description: 'How often Stripe bills.' }),
      quantity: z.int().min(1).max(1000).default(1).meta({ description: 'How many seats are bought.' }),
      success_url: returnUrlField().meta({
        description:
          'Where the buyer comes back to; Stripe puts the id in the place of {CHECKOUT_SESSION_ID}. Its origin must be one of the dashboards of this deployment.',
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
    'Makes a session of Stripe’s portal, where the subscription, payment methods and invoices are managed. The URL is good for minutes. 409 before the first checkout.',
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
  description:
    'The plan, where it comes from, and the subscription as Stripe had it when it was last read; Stripe is not called.',
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
    'Puts the organization on a plan whatever it pays, until `expires_at` or until it is cleared with `plan: null`. Stripe’s state is kept beside it and never overwrites it. For administration and development: protected stages refuse it (403) unless they switch it on, and every stage with a live Stripe key does.',
  request: () => ({
    body: patchBody({
      plan: planField()
        .nullable()
        .meta({ description: 'The plan to put the organization on; null clears the override.' }),
      reason: z
        .string()
        .max(500)
        .regex(/\S/, 'must not be blank')
        .refine(isVisible, 'must not be blank')
        .meta({ description: 'Why; needed with a plan.' }),
      expires_at: futureInstantField()
        .nullable()
        .meta({ description: 'When the override ends, in the future, as ISO 8601 with an offset; null: never.' }),
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
  description: 'The latest invoices, newest first, as Stripe has them; at most 90 seconds old.',
  request: () => ({
    query: z.object({
      limit: countQuery(1, maxInvoices, maxInvoices).meta({ description: 'Invoices at most.' }),
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
  description: 'What support needs to look into a billing matter; the latest invoice is at most 60 seconds old.',
  answers: () => ({ 200: supportContextSchema() }),
  published: [
    { id: 'settings.billing.support_context', records: { answer: 'BillingSupportContextResponse' }, wire: supportView },
  ],
  refusals: ['upstream_error'],
  access: { ...readAccess, stripe: true },
})
