/** Billing for tests: checkouts that are started, paid and reconciled, and changes at Stripe. */

import {
  type CheckoutSession,
  type Customer,
  completeSession,
  type Store,
  type Subscription,
} from '@octomil/local-stripe/model'
import { expect } from 'vitest'
import { eventsOf } from './governance.ts'
import { invoke, type Request } from './invoke.ts'
import { newOwner, type TestOrg } from './orgs.ts'
import type { ReadableArray } from './readable.ts'
import { rowsOf } from './rows.ts'
import { localStripe } from './stripe.ts'

export const dashboard = 'https://dashboard.example.com'

type Extra = Partial<Request>

/** The calls on the billing of an org, as its admin; the override as its owner. */
export function billingOf({ adminKey: token, orgId }: Pick<TestOrg, 'adminKey' | 'orgId'>) {
  const checkout = (body: object = {}, extra: Extra = {}) =>
    invoke('billing/create-checkout', { token, body: { plan: 'team', interval: 'monthly', ...body }, ...extra })
  const reconcile = (session_id: string, extra: Extra = {}) =>
    invoke('billing/reconcile-checkout', { token, body: { session_id }, ...extra })
  return {
    checkout,
    reconcile,
    get: (extra: Extra = {}) => invoke('billing/get', { token, ...extra }),
    portal: (body: object = {}, extra: Extra = {}) => invoke('billing/create-portal', { token, body, ...extra }),
    invoices: (query: Record<string, string> = {}, extra: Extra = {}) =>
      invoke('billing/list-invoices', { token, query, ...extra }),
    support: (extra: Extra = {}) => invoke('billing/support-context', { token, ...extra }),
    override: async (body: object, extra: Extra = {}) =>
      invoke('billing/update', {
        token: await newOwner(orgId),
        body,
        ...extra,
      }),
    /** Buys plan team and comes back from Stripe. */
    subscribe: async (body: object = {}) => {
      const started = await checkout(body)
      expect(started.status, started.text).toBe(201)
      await pay(started.body.session_id)
      const back = await reconcile(started.body.session_id)
      expect(back.status, back.text).toBe(200)
      return back
    },
  }
}

/** What the buyer does on Stripe's page. */
export async function pay(sessionId: string, number = '4242424242424242'): Promise<void> {
  const store = await stripeStore()
  const payer = { number, expMonth: 12, expYear: 2099, email: 'buyer@example.com', name: 'A Buyer' }
  store.atomically(() => completeSession(store, sessionId, payer))
}

/** Everything that Stripe keeps. */
export const stripeStore = async (): Promise<Store> => (await localStripe()).engine.store

/** What tests read of Stripe's objects, and of lists of them. */
interface StripeObject {
  id: string
  created: number
  default_payment_method: string
  hosted_invoice_url: string
  invoice_pdf: string
  number: string
  period_start: number
  period_end: number
}
type StripeAnswer = StripeObject & { data: ReadableArray<StripeObject> }

/** A request to Stripe from outside the service, such as from its dashboard. */
export const atStripe = async (
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  params: object = {},
): Promise<StripeAnswer> => (await localStripe()).engine.request(method, path, params) as StripeAnswer

const ofOrg = <T extends { metadata: Record<string, string> | null }>(
  { orgId }: Pick<TestOrg, 'orgId'>,
  all: T[],
): T[] => all.filter(({ metadata }) => metadata?.org_id === orgId)

/** The customers that Stripe has for an org. */
export const customersOf = async (org: Pick<TestOrg, 'orgId'>): Promise<Customer[]> =>
  ofOrg(org, (await stripeStore()).all('customer'))

export const sessionsOf = async (org: Pick<TestOrg, 'orgId'>): Promise<CheckoutSession[]> =>
  ofOrg(org, (await stripeStore()).all('checkout.session'))

export const subscriptionsOf = async (org: Pick<TestOrg, 'orgId'>): Promise<Subscription[]> =>
  ofOrg(org, (await stripeStore()).all('subscription'))

/** The stored billing row. */
export async function billingRow({ orgId }: Pick<TestOrg, 'orgId'>) {
  const [row] = (await rowsOf(orgId, 'BILLING')).filter(({ sk }) => sk === 'BILLING')
  return row
}

/** How many events an org has of each action of billing. */
export async function billingEvents(org: Pick<TestOrg, 'adminKey'>): Promise<Record<string, number>> {
  const actions = ['customer_bound', 'checkout_started', 'portal_opened', 'subscription_synced', 'drift_corrected']
  const counts = await Promise.all(
    actions.map(async (action) => [action, (await eventsOf(org, `billing.${action}`)).length] as const),
  )
  return Object.fromEntries(counts.filter(([, count]) => count > 0))
}
