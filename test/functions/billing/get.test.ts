/** Reading billing: the complete stored state, without a call to Stripe. */
import { beforeEach, describe, expect, test } from 'vitest'
import { plans } from '../../../shared/billing/plans.ts'
import { syncCustomer } from '../../../shared/billing/sync.ts'
import {
  atStripe,
  billingOf,
  billingRow,
  customersOf,
  pay,
  stripeStore,
  subscriptionsOf,
} from '../../support/billing.ts'
import { callsDuring } from '../../support/faults.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { putRow } from '../../support/rows.ts'
import { stripeCallsDuring, withStripeFault } from '../../support/stripe.ts'

let org: TestOrg
let billing: ReturnType<typeof billingOf>
beforeEach(async () => {
  org = await makeBusyOrg()
  billing = billingOf(org)
})

test('an organization that never paid is on the plan free, by default', async () => {
  const { status, body, headers } = await billing.get()
  expect([status, headers.etag]).toEqual([200, expect.stringMatching(/^"/)])
  expect(body).toEqual({
    plan: { ...plans.free, features: [...plans.free.features] },
    plan_source: 'default',
    override: null,
    subscription: null,
    subscription_conflict: false,
    unknown_price: false,
    customer_id: null,
    projection: null,
  })
})

test('Stripe is not called, down or not, and billing is one row', async () => {
  await billing.subscribe()
  const calls = await stripeCallsDuring(async () => {
    const read = await withStripeFault({ kind: 'reset' }, () => billing.get())
    expect(read.body.plan.code).toBe('team')
  })
  expect(calls).toEqual([])
  const rows = (await callsDuring(() => billing.get())).flatMap((call) => call.rows)
  expect(rows.filter((row) => row.endsWith(' BILLING'))).toEqual([`ORG#${org.orgId} BILLING`])
})

test('the ETag works in a conditional read, and changes with the view', async () => {
  const { headers } = await billing.get()
  expect((await billing.get({ headers: { 'if-none-match': headers.etag ?? '' } })).status).toBe(304)
  await billing.subscribe()
  expect((await billing.get({ headers: { 'if-none-match': headers.etag ?? '' } })).status).toBe(200)
})

describe('a subscription gives its plan', () => {
  test.each([
    ['active', 'team', 'stripe'],
    ['trialing', 'team', 'stripe'],
    ['past_due', 'team', 'stripe'],
    ['unpaid', 'free', 'default'],
    ['paused', 'free', 'default'],
    ['incomplete', 'free', 'default'],
    ['incomplete_expired', 'free', 'default'],
    ['canceled', 'free', 'default'],
  ] as const)('while it is %s: %s', async (status, plan, source) => {
    const { session_id } = (await billing.checkout()).body
    await pay(session_id)
    const store = await stripeStore()
    for (const { id } of await subscriptionsOf(org)) store.change('subscription', id, { status })
    await billing.reconcile(session_id)
    const { body } = await billing.get()
    expect([body.plan.code, body.plan_source, body.subscription.status]).toEqual([plan, source, status])
    // Gates and limits follow.
    const integration = { type: 'webhook', name: 'hook', config: { url: 'https://hooks.acme.io/x' } }
    const gate = await invoke('integrations/create', { token: org.adminKey, body: integration })
    expect(gate.status).toBe(plan === 'team' ? 201 : 402)
    const limits = await invoke('usage-limits/get', { token: org.adminKey })
    expect(limits.body.limits.max_devices.plan_ceiling).toBe(plans[plan].limits.max_devices)
  })
})

describe('a change at Stripe is shown after the next sync', () => {
  const reread = async () => {
    const [customer] = await customersOf(org)
    const deadline = new Date(Date.now() + 10_000)
    await syncCustomer({
      orgId: org.orgId,
      customerId: customer?.id ?? '',
      source: 'event',
      eventId: 'evt_1',
      context: { requestId: 'test' },
      deadline,
    })
    return (await billing.get()).body
  }

  test('a cancellation at the end of the period, and its undoing', async () => {
    await billing.subscribe()
    const [subscription] = await subscriptionsOf(org)
    await atStripe('POST', `/v1/subscriptions/${subscription?.id}`, { cancel_at_period_end: true })
    const canceling = await reread()
    expect(canceling).toMatchObject({ plan: { code: 'team' }, projection: { source: 'event', event_id: 'evt_1' } })
    expect(canceling.subscription).toMatchObject({
      cancel_at_period_end: true,
      cancel_at: canceling.subscription.current_period_end,
    })
    await atStripe('POST', `/v1/subscriptions/${subscription?.id}`, { cancel_at_period_end: false })
    expect((await reread()).subscription).toMatchObject({ cancel_at_period_end: false, cancel_at: null })
  })

  test('a second subscription: the newest live one counts, and the conflict is flagged', async () => {
    await billing.subscribe()
    const [customer] = await customersOf(org)
    const store = await stripeStore()
    const contract = store.all('price').find(({ metadata }) => metadata.octomil_plan === 'enterprise')
    const [{ default_payment_method } = { default_payment_method: null }] = await subscriptionsOf(org)
    const later = await atStripe('POST', '/v1/subscriptions', {
      default_payment_method,
      customer: customer?.id,
      items: [{ price: contract?.id }],
    })
    store.change('subscription', later.id, { created: store.now() + 5 })
    expect(await reread()).toMatchObject({
      plan: { code: 'enterprise' },
      subscription: { id: later.id },
      subscription_conflict: true,
    })
    await atStripe('DELETE', `/v1/subscriptions/${later.id}`)
    expect(await reread()).toMatchObject({ plan: { code: 'team' }, subscription_conflict: false })
  })

  test('a price of an older catalog is identified by its product; an unknown price gives no plan and is flagged', async () => {
    await billing.subscribe()
    const [subscription] = await subscriptionsOf(org)
    const item = subscription?.items.data[0]?.id
    const recurring = { interval: 'month' }
    const product = 'prod_octomil_team'
    const older = await atStripe('POST', '/v1/prices', { currency: 'eur', unit_amount: 99_000, product, recurring })
    const change = (price: string) =>
      atStripe('POST', `/v1/subscriptions/${subscription?.id}`, { items: [{ id: item, price }] })
    await change(older.id)
    expect(await reread()).toMatchObject({
      plan: { code: 'team' },
      subscription: { price: { id: older.id, lookup_key: null, unit_amount: 99_000, currency: 'eur' } },
      unknown_price: false,
    })
    const { id: nobody } = await atStripe('POST', '/v1/products', { name: 'Something else' })
    const strange = await atStripe('POST', '/v1/prices', {
      currency: 'usd',
      unit_amount: 1,
      product: nobody,
      recurring,
    })
    await change(strange.id)
    expect(await reread()).toMatchObject({
      plan: { code: 'free' },
      plan_source: 'default',
      unknown_price: true,
      subscription: { status: 'active' },
    })
  })
})

test('an override holds until the instant at which it expires, and is not shown after it', async () => {
  const at = (expires_at: string | null) =>
    putRow({
      pk: `ORG#${org.orgId}`,
      sk: 'BILLING',
      override: { plan: 'enterprise', reason: 'a test', expires_at, set_at: '2026-01-01T00:00:00.000Z', set_by: 'me' },
    })
  await at(new Date(Date.now() + 60_000).toISOString())
  expect((await billing.get()).body).toMatchObject({
    plan: { code: 'enterprise' },
    plan_source: 'override',
    override: { reason: 'a test' },
  })
  await at(new Date(Date.now() - 1).toISOString())
  expect((await billing.get()).body).toMatchObject({ plan: { code: 'free' }, plan_source: 'default', override: null })
  expect(await billingRow(org)).toMatchObject({ override: { plan: 'enterprise' } })
})

test('every caller with billing:read sees it, and no caller sees that of another organization', async () => {
  await billing.subscribe()
  for (const role of ['owner', 'admin', 'member'] as const) {
    expect((await billing.get({ token: await tokenFor(org.orgId, role) })).body.plan.code).toBe('team')
  }
  const stranger = await makeBusyOrg()
  expect((await billingOf(stranger).get()).body).toMatchObject({ plan: { code: 'free' }, customer_id: null })
  expectProblem(await billing.get({ token: stranger.adminKey, query: { org_id: org.orgId } }), 'forbidden')
})
