/**
 * Checks answers of the local Stripe against Stripe's published schemas. Its types are those of the pinned package. Where
 * the package is newer than the schemas here, the package wins and `differences` lists the fields.
 */
import Stripe from 'stripe'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  annual,
  customerWithCard,
  goodCard,
  monthly,
  priceOf,
  sendForm,
  startTestStripe,
  subscriber,
} from './local-stripe.ts'
import { findings, publishedVersion } from './response-schemas.ts'

const price = ['/recurring has trial_period_days', '/recurring must match a schema in anyOf']

/** Fields that the description of 2026-08-26.dahlia lacks: those of 2026-10-28.endive, and legacy fields that Stripe still sends. */
const differences: Record<string, string[]> = {
  'billing_portal.configuration': ['/features has subscription_pause'],
  'checkout.session': [' has allowed_payment_method_types'],
  price,
  product: [' has tax_details', ' has type'],
  subscription: [
    '/items/data/* has current_trial',
    '/items/data/* has plan',
    ...price.map((finding) => `/items/data/*/price${finding}`),
    '/trial_settings must match a schema in anyOf',
    '/trial_settings/end_behavior has billing_cycle_anchor',
  ],
}

const stripe = await startTestStripe()
const { client } = stripe

/** The raw answer, before the client converts text to decimals. */
const answerOf = async (path: string): Promise<unknown> => {
  const response = await fetch(`${stripe.url}/v1/${path}`, { headers: { authorization: 'Bearer sk_test_x' } })
  return response.json()
}

const listOf = async (path: string): Promise<{ object: string; id: string; data?: { object: object } }[]> =>
  ((await answerOf(`${path}${path.includes('?') ? '&' : '?'}limit=100`)) as { data: [] }).data

/** Makes customers in every state. */
beforeAll(async () => {
  const price = await priceOf(stripe, monthly)
  const line_items = [{ price, quantity: 1 }]
  const session = { mode: 'subscription' as const, success_url: 'https://app.example/', line_items }
  const opened = await client.checkout.sessions.create(session)
  await client.checkout.sessions.expire((await client.checkout.sessions.create(session)).id)
  await sendForm(opened.url ?? '', { ...goodCard, email: 'a@acme.example' })
  await client.checkout.sessions.create(session)
  const failing = await subscriber(stripe)
  await stripe.control('POST', 'card', { customer: failing.customer, fails: true })
  const changed = await subscriber(stripe)
  const { items } = await client.subscriptions.retrieve(changed.subscription)
  const update = { id: items.data[0]?.id ?? '', price: await priceOf(stripe, annual), quantity: 2 }
  await client.subscriptions.update(changed.subscription, { items: [update] })
  await client.subscriptions.cancel((await subscriber(stripe)).subscription)
  await client.subscriptions.update((await subscriber(stripe)).subscription, { cancel_at_period_end: true })
  await client.subscriptions.pause((await subscriber(stripe)).subscription)
  await subscriber(stripe, { trial_period_days: 20 })
  const declined = await customerWithCard(stripe)
  await stripe.control('POST', 'card', { customer: declined, fails: true })
  await client.subscriptions.create({ customer: declined, items: [{ price }] })
  await client.customers.del((await subscriber(stripe)).customer)
  await stripe.control('POST', 'advance', { to: '2026-02-28T12:30:00Z' })
  await subscriber(stripe, { trial_period_days: 60 })
})

test('the package’s version is the newer one', () => {
  const day = (version: string) => version.slice(0, 10)
  expect(day(Stripe.API_VERSION) >= day(publishedVersion)).toBe(true)
})

describe('answers fit the published schemas', () => {
  test.each([
    ['customer', 'customers'],
    ['product', 'products'],
    ['price', 'prices'],
    ['payment_method', 'payment_methods'],
    ['checkout.session', 'checkout/sessions'],
    ['subscription', 'subscriptions?status=all'],
    ['invoice', 'invoices'],
    ['event', 'events'],
    ['billing_portal.configuration', 'billing_portal/configurations'],
  ])('each %s', async (kind, path) => {
    const all = await listOf(path)
    expect(all.length).toBeGreaterThan(0)
    for (const each of all) expect(findings(kind, each)).toEqual(differences[kind] ?? [])
  })

  test('subscriptions and invoices of every status were among them', async () => {
    const statuses = async (path: string) =>
      new Set((await listOf(path)).map((each) => (each as { status?: string }).status))
    expect(await statuses('subscriptions?status=all')).toEqual(
      new Set(['active', 'canceled', 'incomplete_expired', 'paused', 'trialing']),
    )
    expect(await statuses('invoices')).toEqual(new Set(['draft', 'paid', 'void']))
    expect(await statuses('checkout/sessions')).toEqual(new Set(['complete', 'expired']))
  })

  test('objects in events', async () => {
    for (const { data } of await listOf('events')) {
      const object = data?.object as { object: string }
      expect(findings(object.object, object)).toEqual(differences[object.object] ?? [])
    }
  })

  test('a portal session, the account, a deleted customer and a refusal', async () => {
    const customer = await customerWithCard(stripe)
    const session = await client.billingPortal.sessions.create({ customer, return_url: 'https://app.example/' })
    expect(findings('billing_portal.session', JSON.parse(JSON.stringify(session)))).toEqual([])
    expect(findings('account', await answerOf('account'))).toEqual([])
    await client.customers.del(customer)
    expect(findings('deleted_customer', await answerOf(`customers/${customer}`))).toEqual([])
    expect(findings('error', await answerOf('customers/cus_none'))).toEqual([])
  })

  test('objects with others expanded in them', async () => {
    const [session] = await listOf('checkout/sessions?status=complete')
    const path = `checkout/sessions/${session?.id}?expand[]=subscription.customer&expand[]=invoice&expand[]=line_items`
    const whole = findings('checkout.session', await answerOf(path))
    const price = differences.price?.map((finding) => `/line_items/data/*/price${finding}`) ?? []
    expect(whole).toEqual(expect.arrayContaining(price))
    expect(whole.filter((finding) => /^\/(?:invoice|subscription) must/.test(finding))).toEqual([
      // Because of the differences listed above.
      '/subscription must match a schema in anyOf',
    ])
  })
})

test('a missing field, a wrong type and a field too many are found', async () => {
  const [invoice] = await listOf('invoices')
  const { lines: _lines, ...wrong } = { ...invoice, lines: [], amount_due: '1', colour: 'red' }
  expect(findings('invoice', wrong)).toEqual([
    ' has colour',
    " must have required property 'lines'",
    '/amount_due must be integer',
  ])
})
