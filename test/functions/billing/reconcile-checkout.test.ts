/** Return from Stripe: only a paid session of the same org changes billing, and it leaves one event. */
import { beforeEach, describe, expect, test } from 'vitest'
import {
  atStripe,
  billingEvents,
  billingOf,
  billingRow,
  customersOf,
  pay,
  stripeStore,
  subscriptionsOf,
} from '../../support/billing.ts'
import { eventsOf, expectWholeChain } from '../../support/governance.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { bareProblem, expectProblem } from '../../support/problems.ts'
import { stripeCallsDuring, withStripeFault } from '../../support/stripe.ts'

let org: TestOrg
let billing: ReturnType<typeof billingOf>
let session: string
beforeEach(async () => {
  org = await makeBusyOrg()
  billing = billingOf(org)
  session = (await billing.checkout()).body.session_id
})

describe('a paid session', () => {
  test('brings the plan, its limits and gates with the answer', async () => {
    await pay(session)
    const back = await billing.reconcile(session)
    expect(back.status, back.text).toBe(200)
    const [subscription] = await subscriptionsOf(org)
    const [item] = subscription?.items.data ?? []
    expect(back.body).toMatchObject({
      plan: { code: 'team', name: 'Team', limits: { max_devices: 1000 } },
      plan_source: 'stripe',
      override: null,
      subscription: {
        id: subscription?.id,
        status: 'active',
        price: { id: item?.price.id, lookup_key: 'octomil_team_monthly', unit_amount: 120_000, currency: 'usd' },
        interval: 'monthly',
        quantity: 1,
        current_period_start: new Date((item?.current_period_start ?? 0) * 1000).toISOString(),
        current_period_end: new Date((item?.current_period_end ?? 0) * 1000).toISOString(),
        cancel_at_period_end: false,
        canceled_at: null,
      },
      customer_id: subscription?.customer,
      projection: { source: 'reconcile', sync_seq: 1, event_id: null },
      checkout: { status: 'complete', payment_status: 'paid' },
    })
    const { checkout: _checkout, ...state } = back.body
    expect((await billing.get()).body).toEqual(state)
  })

  test('leaves an event with the caller as actor, and the changed fields', async () => {
    await pay(session)
    const token = await tokenFor(org.orgId, 'owner')
    await billing.reconcile(session, { token })
    const [event] = await eventsOf(org, 'billing.subscription_synced')
    expect(event).toMatchObject({
      actor: { type: 'user', id: 'user-owner' },
      resource: { type: 'billing', id: org.orgId },
    })
    expect(event?.changes).toContainEqual({ field: 'plan', before: null, after: 'team' })
    expect(event?.changes).toContainEqual({ field: 'subscription.status', before: null, after: 'active' })
    await expectWholeChain(org)
  })

  test('reconciled again is the same answer with a newer look, and no event', async () => {
    await pay(session)
    const first = await billing.reconcile(session)
    const second = await billing.reconcile(session)
    expect({ ...second.body, projection: null }).toEqual({ ...first.body, projection: null })
    expect(second.body.projection.sync_seq).toBeGreaterThan(first.body.projection.sync_seq)
    expect(await billingEvents(org)).toMatchObject({ subscription_synced: 1 })
  })

  test('reconciled by 20 concurrent requests leaves one event', async () => {
    await pay(session)
    const answers = await Promise.all(Array.from({ length: 20 }, () => billing.reconcile(session)))
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      expectProblem(answer, 'conflict')
      expect(answer.headers['retry-after']).toBe('2')
    }
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0)
    expect(await billingEvents(org)).toMatchObject({ subscription_synced: 1 })
    expect(await billingRow(org)).toMatchObject({ projection: { plan: 'team' } })
  })

  test('sets billing to Stripe’s current state, not to the state at the payment', async () => {
    await pay(session)
    const [subscription] = await subscriptionsOf(org)
    await atStripe('DELETE', `/v1/subscriptions/${subscription?.id}`)
    const back = await billing.reconcile(session)
    expect(back.body).toMatchObject({
      plan: { code: 'free' },
      plan_source: 'default',
      subscription: { status: 'canceled' },
      checkout: { status: 'complete', payment_status: 'paid' },
    })
  })

  test('of a trial, which needs no payment, counts too', async () => {
    await pay(session)
    const store = await stripeStore()
    store.change('checkout.session', session, { payment_status: 'no_payment_required' })
    for (const { id } of await subscriptionsOf(org)) store.change('subscription', id, { status: 'trialing' })
    expect((await billing.reconcile(session)).body).toMatchObject({
      plan: { code: 'team' },
      subscription: { status: 'trialing' },
    })
  })
})

describe('a session that is not paid', () => {
  test.each(['open', 'expired'] as const)('and %s changes nothing', async (status) => {
    if (status === 'expired') await atStripe('POST', `/v1/checkout/sessions/${session}/expire`)
    const before = await billingRow(org)
    const back = await billing.reconcile(session)
    expect([back.status, back.body.checkout]).toEqual([200, { status, payment_status: 'unpaid' }])
    expect(back.body).toMatchObject({ plan: { code: 'free' }, projection: null })
    expect(await billingRow(org)).toEqual(before)
    expect(await billingEvents(org)).not.toHaveProperty('subscription_synced')
  })

  test('but complete, while the money is on its way, changes nothing', async () => {
    await pay(session)
    const store = await stripeStore()
    store.change('checkout.session', session, { payment_status: 'unpaid' })
    const back = await billing.reconcile(session)
    expect(back.body).toMatchObject({ projection: null, checkout: { status: 'complete', payment_status: 'unpaid' } })
  })
})

describe('a session that is not of this organization', () => {
  test('is the same 404 as one that does not exist', async () => {
    const stranger = await makeBusyOrg()
    const theirs = (await billingOf(stranger).checkout()).body.session_id
    await pay(theirs)
    const foreign = await billing.reconcile(theirs)
    const unknown = await billing.reconcile('cs_test_a1b2c3')
    expectProblem(foreign, 'not_found')
    expect(bareProblem(foreign)).toEqual(bareProblem(unknown))
    expect((await billing.get()).body.plan.code).toBe('free')
    expect((await billingOf(stranger).get()).body.projection).toBeNull()
  })

  test.each([
    ['client_reference_id', { client_reference_id: 'org_01jd3v7k3q9x5m2n8r4t6w0y1z' }],
    ['no client_reference_id', { client_reference_id: null }],
    ['metadata', { metadata: { org_id: 'org_01jd3v7k3q9x5m2n8r4t6w0y1z' } }],
    ['no metadata', { metadata: {} }],
    ['customer', { customer: 'cus_of_another' }],
    ['no customer', { customer: null }],
  ])('by its %s is 404, however paid it is', async (_what, changed) => {
    await pay(session)
    const store = await stripeStore()
    store.change('checkout.session', session, changed)
    expectProblem(await billing.reconcile(session), 'not_found')
    expect((await billing.get()).body.projection).toBeNull()
  })

  test('is 404 without a look at Stripe when the organization has no customer', async () => {
    const newcomer = billingOf(await makeBusyOrg())
    expect(await stripeCallsDuring(async () => expectProblem(await newcomer.reconcile(session), 'not_found'))).toEqual(
      [],
    )
  })

  test.each(['nope', 'sub_123', 'cs_test/../../customers', 'cs_test?expand=x', '../v1/account', 'cs_é', ' cs_a'])(
    'and cannot be any is 404 and goes nowhere: %j',
    async (id) => {
      expect(await stripeCallsDuring(async () => expectProblem(await billing.reconcile(id), 'not_found'))).toEqual([])
    },
  )
})

describe('when Stripe fails', () => {
  test.each([
    ['with 500s', { kind: 'error', status: 500 }, 'upstream_error'],
    ['with broken connections', { kind: 'reset' }, 'service_unavailable'],
    ['with too many requests', { kind: 'rate_limit' }, 'service_unavailable'],
  ] as const)('%s it is told, and nothing is half written', async (_how, fault, code) => {
    await pay(session)
    const before = await billingRow(org)
    const failed = await withStripeFault({ ...fault, path: '/v1/subscriptions' }, () => billing.reconcile(session))
    expectProblem(failed, code)
    expect(failed.body.retryable).toBe(true)
    expect(failed.text).not.toMatch(/sk_test|api_error|An unknown error/)
    expect(await billingRow(org)).toEqual(before)
    // The lease is given back at once.
    expect((await billing.reconcile(session)).body.plan.code).toBe('team')
  })

  test('once, it is asked again', async () => {
    await pay(session)
    const back = await withStripeFault({ kind: 'error', count: 1, path: '/v1/subscriptions' }, () =>
      billing.reconcile(session),
    )
    expect(back.body.plan?.code, back.text).toBe('team')
  })
})

test('a customer deleted at Stripe counts as one without a subscription', async () => {
  await pay(session)
  await billing.reconcile(session)
  const [customer] = await customersOf(org)
  await atStripe('DELETE', `/v1/customers/${customer?.id}`)
  expect((await billing.reconcile(session)).body).toMatchObject({
    plan: { code: 'free' },
    subscription: { status: 'canceled' },
  })
})
