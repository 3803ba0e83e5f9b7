/** Billing as the platform's published clients know it. */
import { beforeEach, expect, test } from 'vitest'
import type { OperationName } from '../../../functions/operations.ts'
import { atStripe, billingOf, dashboard, pay } from '../../support/billing.ts'
import { invokePublished, type Request } from '../../support/invoke.ts'
import { makeOrg, newOwner, type TestOrg } from '../../support/orgs.ts'

const urls = { success_url: `${dashboard}/done`, cancel_url: `${dashboard}/no` }
let org: TestOrg
const call = <Name extends OperationName>(name: Name, request: Request = {}) =>
  invokePublished(name, { token: org.adminKey, ...request })

beforeEach(async () => {
  org = await makeOrg()
})

test('of an organization that never bought is free and active', async () => {
  expect((await call('billing/get')).body).toEqual({
    ...{ org_id: org.orgId, plan: 'free', status: 'active', billing_interval: null },
    ...{ stripe_customer_id: null, current_period_end: null },
  })
  expect((await call('billing/list-invoices')).body).toEqual({ invoices: [] })
  expect((await call('billing/support-context')).body).toMatchObject({
    support_tier: 'community',
    latest_invoice: null,
  })
  const portal = await call('billing/create-portal', { body: { return_url: `${dashboard}/back` } })
  expect([portal.status, portal.body.error.code]).toEqual([409, 'billing_customer_not_found'])
})

test.each([
  [{}, 'monthly'],
  [{ interval: 'annual' }, 'annual'],
])('a checkout with the query %j is %s, and is complete once it is paid', async (query, interval) => {
  const started = await call('billing/create-checkout', { query, body: { plan: 'team', ...urls } })
  expect(started.status, started.text).toBe(201)
  const { session_id } = started.body
  const early = await call('billing/reconcile-checkout', { body: { session_id } })
  expect([early.status, early.body.error.code]).toEqual([409, 'checkout_not_complete'])
  await pay(session_id)
  const back = await call('billing/reconcile-checkout', { body: { session_id } })
  expect(back.body, back.text).toMatchObject({ plan: 'team', status: 'active', billing_interval: interval })
  expect(back.body.stripe_subscription_id).toMatch(/^sub_/)
  expect((await call('billing/create-portal', { body: { return_url: `${dashboard}/back` } })).status).toBe(201)
})

test('shows invoices with Unix times, and the bundle of support', async () => {
  const back = await billingOf(org).subscribe()
  const { body } = await call('billing/list-invoices')
  expect(body.invoices).toHaveLength(1)
  expect(Math.abs(body.invoices[0].created - Date.now() / 1000)).toBeLessThan(600)
  const support = await call('billing/support-context')
  expect(support.body).toMatchObject({
    ...{ plan: 'team', status: 'active', billing_interval: 'monthly', support_tier: 'standard' },
    ...{ stripe_subscription_id: back.body.subscription.id, latest_invoice: { id: body.invoices[0].id } },
  })
})

test.each([
  ['unpaid', 'past_due'],
  ['incomplete_expired', 'canceled'],
  ['trialing', 'trialing'],
])('a subscription that Stripe calls %s is %s', async (status, expected) => {
  const { billingView } = await import('../../../functions/billing/wire.ts')
  const billing = { plan: { code: 'team' }, subscription: { status, interval: 'monthly' }, customer_id: 'cus_1' }
  const context = { orgId: org.orgId, once: {}, unchanged: false }
  expect(billingView().toAnswer?.(billing as never, context)).toMatchObject({ status: expected })
})

test('the plan is overridden by its name alone', async () => {
  const token = await newOwner(org.orgId)
  const changed = await call('billing/update', { token, body: { plan: 'enterprise' } })
  expect(changed.body, changed.text).toMatchObject({ plan: 'enterprise', org_id: org.orgId })
  expect((await call('billing/get')).body.plan).toBe('enterprise')
  const refused = await call('billing/update', { token, body: { plan: 'pro' } })
  expect(refused.body.error.details.errors[0].path).toBe('plan')
})

test('a session of another organization is not found', async () => {
  const other = await makeOrg()
  const { body } = await billingOf(other).checkout()
  const refused = await call('billing/reconcile-checkout', { body: { session_id: body.session_id } })
  expect([refused.status, refused.body.error.code]).toEqual([404, 'resource_not_found'])
  expect(await atStripe('GET', `/v1/checkout/sessions/${body.session_id}`)).toBeDefined()
})
