/** A paying organization keeps its plan and its customer, despite a new key, a new price or a second subscription. */
import { expect, test } from 'vitest'
import { runFunction } from '../../support/background.ts'
import { atStripe, billingOf, billingRow, customersOf, stripeStore, subscriptionsOf } from '../../support/billing.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { putRow } from '../../support/rows.ts'
import { stripeEvent } from '../../support/stripe-events.ts'

async function subscriber(): Promise<{ org: TestOrg; customerId: string }> {
  const org = await makeBusyOrg()
  await billingOf(org).subscribe()
  return { org, customerId: (await customersOf(org))[0]?.id ?? '' }
}

const projectEvent = (customer: string, type = 'customer.subscription.updated') =>
  runFunction('stripe-events/project', { source: 'octomil.stripe', detail: stripeEvent({ type }, { customer }) })

const planOf = async (org: TestOrg): Promise<string> => (await billingOf(org).get()).body.plan.code

test('a customer that Stripe does not know is 503, and nothing is written', async () => {
  const { org, customerId } = await subscriber()
  const store = await stripeStore()
  const kept = store.get('customer', customerId)
  store.remove('customer', customerId)
  const before = await billingRow(org)
  for (const answer of [
    await billingOf(org).checkout(),
    await billingOf(org).portal(),
    await billingOf(org).invoices(),
    await billingOf(org).support(),
  ]) {
    expectProblem(answer, 'service_unavailable')
    expect(answer.body.detail).toContain('another account or mode')
  }
  await expect(projectEvent(customerId)).rejects.toThrow(/does not know the customer/)
  expect(await billingRow(org)).toEqual(before)
  if (kept) store.put('customer', kept)
  await projectEvent(customerId)
  expect(await planOf(org)).toBe('team')
  expectProblem(await billingOf(org).checkout(), 'conflict')
})

test('a customer that Stripe deleted for good ends the plan and makes room for another', async () => {
  const { org, customerId } = await subscriber()
  await atStripe('DELETE', `/v1/customers/${customerId}`)
  await projectEvent(customerId, 'customer.deleted')
  expect(await planOf(org)).toBe('free')
  expect((await billingOf(org).checkout()).status).toBe(201)
})

test('a key of another account is refused before it binds a customer', async () => {
  const org = await makeBusyOrg()
  await putRow({ pk: 'STRIPEACCOUNT', sk: 'STRIPEACCOUNT', account: 'acct_another', livemode: false })
  const { requireSameAccount } = await import('../../../shared/stripe/account.ts')
  const { callStripe } = await import('../../../shared/stripe/client.ts')
  // This process has confirmed its key already; a new client is a new process.
  const { default: Stripe } = await import('stripe')
  const address = new URL(process.env.STRIPE_API_URL ?? '')
  const fresh = new Stripe('sk_test_local', { host: address.hostname, port: address.port, protocol: 'http' })
  await expect(requireSameAccount(fresh)).rejects.toThrow(/account acct_another.*Restore the right key/)
  await putRow({ pk: 'STRIPEACCOUNT', sk: 'STRIPEACCOUNT', account: 'acct_1LocalStripe00000', livemode: true })
  await expect(requireSameAccount(fresh)).rejects.toThrow(/the live mode of account/)
  await putRow({ pk: 'STRIPEACCOUNT', sk: 'STRIPEACCOUNT', account: 'acct_1LocalStripe00000', livemode: false })
  await expect(requireSameAccount(fresh)).resolves.toBeUndefined()
  expect(await callStripe(async () => 'reached')).toBe('reached')
  expect((await billingOf(org).checkout()).status).toBe(201)
})

/** Adds a subscription of a new price at Stripe. */
async function addSubscription(customer: string, price: object) {
  const product = await atStripe('POST', '/v1/products', { name: 'Something else' })
  const made = await atStripe('POST', '/v1/prices', {
    product: product.id,
    currency: 'usd',
    unit_amount: 900,
    recurring: { interval: 'month' },
    ...price,
  })
  const { data } = await atStripe('GET', '/v1/subscriptions', { customer })
  const { default_payment_method } = data[0]
  await atStripe('POST', '/v1/subscriptions', { customer, items: [{ price: made.id }], default_payment_method })
}

test('a newer subscription of no plan does not hide the one that is paid for', async () => {
  const { org, customerId } = await subscriber()
  await addSubscription(customerId, {})
  await projectEvent(customerId)
  const { body } = await billingOf(org).get()
  expect(body).toMatchObject({ plan: { code: 'team' }, subscription_conflict: true, unknown_price: false })
  expect(body.subscription.price.lookup_key).toBe('octomil_team_monthly')
  expectProblem(await billingOf(org).checkout(), 'conflict')
})

test('of two subscriptions that give a plan the highest plan counts, whichever is newer', async () => {
  const { org, customerId } = await subscriber()
  await addSubscription(customerId, { metadata: { octomil_plan: 'enterprise' } })
  await projectEvent(customerId)
  expect(await planOf(org)).toBe('enterprise')
  const other = await subscriber()
  await addSubscription(other.customerId, { metadata: { octomil_plan: 'free' } })
  await projectEvent(other.customerId)
  expect(await planOf(other.org)).toBe('team')
})

test('a subscription of no plan alone does not prevent the purchase of a plan', async () => {
  const { org, customerId } = await subscriber()
  await addSubscription(customerId, {})
  const [team] = await subscriptionsOf(org)
  await atStripe('DELETE', `/v1/subscriptions/${team?.id}`)
  await projectEvent(customerId)
  expect(await planOf(org)).toBe('free')
  expect((await billingOf(org).checkout()).status).toBe(201)
})

test('who bought team stays on team when its lookup key moves to a dearer price', async () => {
  const { org, customerId } = await subscriber()
  const store = await stripeStore()
  const price = store.all('price').find(({ lookup_key }) => lookup_key === 'octomil_team_monthly')
  const dearer = await atStripe('POST', '/v1/prices', {
    product: price?.product,
    currency: 'usd',
    unit_amount: 150_000,
    recurring: { interval: 'month' },
    lookup_key: 'octomil_team_monthly',
    transfer_lookup_key: true,
  })
  // Set up with two lookup keys and no metadata, as the README says.
  if (price) store.change('price', price.id, { metadata: {} })
  const product = store.all('product').find(({ id }) => id === price?.product)
  if (product) store.change('product', product.id, { metadata: {} })
  await projectEvent(customerId)
  expect((await billingOf(org).get()).body).toMatchObject({ plan: { code: 'team' }, unknown_price: false })
  expectProblem(await billingOf(org).checkout(), 'conflict')
  await atStripe('POST', `/v1/prices/${price?.id}`, { lookup_key: 'octomil_team_monthly', transfer_lookup_key: true })
  expect(dearer.id).not.toBe(price?.id)
})

test('a change to the annual price keeps team when its lookup key moves before the first sync', async () => {
  const { org, customerId } = await subscriber()
  const store = await stripeStore()
  const annual = store.all('price').find(({ lookup_key }) => lookup_key === 'octomil_team_annual')
  const product = store.get('product', annual?.product ?? '')
  if (product) store.change('product', product.id, { metadata: {} })
  const [subscription] = await subscriptionsOf(org)
  const [item] = subscription?.items.data ?? []
  await atStripe('POST', `/v1/subscriptions/${subscription?.id}`, { items: [{ id: item?.id, price: annual?.id }] })
  await atStripe('POST', '/v1/prices', {
    product: annual?.product,
    currency: 'usd',
    unit_amount: 1_200_000,
    recurring: { interval: 'year' },
    lookup_key: 'octomil_team_annual',
    transfer_lookup_key: true,
  })
  await projectEvent(customerId)
  expect((await billingOf(org).get()).body).toMatchObject({ plan: { code: 'team' }, unknown_price: false })
  await atStripe('POST', `/v1/prices/${annual?.id}`, { lookup_key: 'octomil_team_annual', transfer_lookup_key: true })
})

test('an invoice event makes the next list of invoices fresh', async () => {
  const { org, customerId } = await subscriber()
  const first = await billingOf(org).invoices()
  const store = await stripeStore()
  store.change('invoice', first.body.data[0].id, { status: 'void' })
  expect((await billingOf(org).invoices()).body.data[0].status).toBe('paid')
  await projectEvent(customerId, 'invoice.voided')
  expect((await billingOf(org).invoices()).body.data[0].status).toBe('void')
  expect((await billingOf(org).support()).body.latest_invoice.status).toBe('void')
})

test('a subscription says when it ends, however it was canceled', async () => {
  const { org, customerId } = await subscriber()
  expect((await billingOf(org).get()).body.subscription.ends_at).toBeNull()
  const [subscription] = await subscriptionsOf(org)
  await atStripe('POST', `/v1/subscriptions/${subscription?.id}`, { cancel_at_period_end: true })
  await projectEvent(customerId)
  const { body } = await billingOf(org).get()
  expect(body.subscription.ends_at).toBe(body.subscription.current_period_end)
})
