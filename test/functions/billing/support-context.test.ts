/** What support is given: the plan as it is now, and the latest invoice as it was a minute ago at most. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { atStripe, billingOf, customersOf, stripeStore } from '../../support/billing.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { stripeCallsDuring, withStripeFault } from '../../support/stripe.ts'

let org: TestOrg
let billing: ReturnType<typeof billingOf>
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  org = await makeBusyOrg()
  billing = billingOf(org)
})
afterEach(() => {
  vi.useRealTimers()
})
const later = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000)

test('an organization without a customer has only a plan, without a call to Stripe', async () => {
  const calls = await stripeCallsDuring(async () => {
    const { status, body, headers } = await billing.support()
    expect([status, headers.age]).toEqual([200, undefined])
    expect(body).toEqual({
      plan: 'free',
      plan_source: 'default',
      subscription_status: null,
      subscription_id: null,
      interval: null,
      customer_id: null,
      latest_invoice: null,
      cached_at: null,
      stale: false,
    })
  })
  expect(calls).toEqual([])
})

test('a customer that never paid has no invoice', async () => {
  await billing.checkout()
  const { body } = await billing.support()
  expect(body).toMatchObject({ plan: 'free', latest_invoice: null, customer_id: expect.stringMatching(/^cus_/) })
  expect(body.cached_at).toEqual(expect.any(String))
})

test('a paying customer has its latest invoice, from a request for one invoice', async () => {
  await billing.subscribe()
  const [customer] = await customersOf(org)
  const { body } = await billing.support()
  const [invoice] = (await atStripe('GET', '/v1/invoices', { customer: customer?.id })).data
  expect(body).toEqual({
    plan: 'team',
    plan_source: 'stripe',
    subscription_status: 'active',
    subscription_id: expect.stringMatching(/^sub_/),
    interval: 'monthly',
    customer_id: customer?.id,
    latest_invoice: {
      id: invoice.id,
      number: invoice.number,
      status: 'paid',
      amount_due: 120_000,
      amount_paid: 120_000,
      currency: 'usd',
      created: new Date(invoice.created * 1000).toISOString(),
      hosted_invoice_url: invoice.hosted_invoice_url,
    },
    cached_at: new Date().toISOString(),
    stale: false,
  })
})

test('the invoice is at most 60 seconds old; the plan is never old', async () => {
  await billing.subscribe()
  const first = await billing.support()
  const store = await stripeStore()
  store.change('invoice', first.body.latest_invoice.id, { status: 'void' })
  await billing.override({ plan: 'enterprise', reason: 'a pilot' })
  later(59)
  const copy = await billing.support()
  expect(copy.body).toMatchObject({ plan: 'enterprise', plan_source: 'override', latest_invoice: { status: 'paid' } })
  expect(copy.headers.age).toBe('59')
  later(1)
  expect((await billing.support()).body.latest_invoice.status).toBe('void')
})

test('of 100 at once one asks Stripe', async () => {
  await billing.subscribe()
  const calls = await stripeCallsDuring(() => Promise.all(Array.from({ length: 100 }, () => billing.support())))
  expect(calls).toEqual(['GET /v1/invoices'])
})

test('when Stripe fails, the last copy is served and marked stale; without a copy the answer is an error', async () => {
  await billing.subscribe()
  expectProblem(await withStripeFault({ kind: 'error' }, () => billing.support()), 'upstream_error')
  later(4)
  const good = await billing.support()
  later(100)
  const { body } = await withStripeFault({ kind: 'error' }, () => billing.support())
  expect(body).toEqual({ ...good.body, stale: true })
})
