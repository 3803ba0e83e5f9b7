/** Billing over HTTP: a plan is bought on Stripe's page, and Stripe's signed event brings it in, through webhook, bus and projector. */

import { signWebhook } from '@octomil/local-stripe'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SettingsClient } from '../../client/src/index.ts'
import { problemOf } from '../support/problems.ts'
import { clientOf, type HttpResponse, http, notYetSucceeded, openTarget, suites, type Target } from './target.ts'

const billing = '/api/v2/settings/billing'
const webhook = '/api/v1/webhooks/stripe'
let target: Target
let buyer: SettingsClient
let hesitant: SettingsClient

beforeAll(async () => {
  target = await openTarget()
  const [first, second] = target.buyers
  buyer = clientOf(target, first)
  hesitant = clientOf(target, second)
})

const checkout = (client: SettingsClient, interval: 'monthly' | 'annual') =>
  client.POST(`${billing}/checkout`, { body: { plan: 'team', interval } })

/** Buys on Stripe's page, as a browser sends its form. */
async function pay(checkoutUrl: string): Promise<void> {
  const card = { number: '4242 4242 4242 4242', expiry: '12 / 40', cvc: '123' }
  const form = new URLSearchParams({ ...card, name: 'A Buyer', email: 'buyer@example.com' })
  const paid = await fetch(checkoutUrl, { method: 'POST', body: form, redirect: 'manual' })
  expect(paid.status, await paid.text()).toBe(303)
}

/** Stripe's events for a customer, newest first. */
async function eventsAtStripe(type: string): Promise<Record<string, unknown>[]> {
  const { url, secretKey } = target.stripe
  const listed = await fetch(`${url}/v1/events?type=${type}`, { headers: { authorization: `Bearer ${secretKey}` } })
  const { data } = (await listed.json()) as { data: Record<string, unknown>[] }
  return data
}

/** Delivers an event as Stripe does. */
const deliver = (event: object, secret = target.stripe.webhookSecret): Promise<HttpResponse> => {
  const body = JSON.stringify(event, null, 2)
  const signature = signWebhook(body, secret, Math.floor(Date.now() / 1000))
  return http('POST', webhook, { body, headers: { 'stripe-signature': signature } })
}

/** Billing once the plan comes from Stripe, or its last state when the time is up. */
async function billingFromStripe() {
  for (let attempt = 0; ; attempt++) {
    const { data } = await buyer.GET(billing)
    if (data.plan_source === 'stripe' || attempt === 60) return data
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

describe('a plan', () => {
  test('is bought at Stripe, arrives by Stripe’s event, and by the return from checkout too', async () => {
    expect((await buyer.GET(`${billing}/invoices`)).data.data).toEqual([])
    const { data: session, status } = await checkout(buyer, 'monthly')
    expect(status).toBe(201)
    await pay(session.url)

    const [event] = await eventsAtStripe('customer.subscription.created')
    const delivered = await deliver(event ?? {})
    expect([delivered.status, delivered.body], delivered.text).toEqual([200, { received: true }])
    const synced = await billingFromStripe()
    expect(synced).toMatchObject({ plan: { code: 'team' }, plan_source: 'stripe', subscription: { status: 'active' } })

    const { session_id } = session
    const reconciled = await buyer.POST(`${billing}/checkout/reconcile`, { body: { session_id } })
    expect(reconciled).toMatchObject({
      status: 200,
      data: {
        plan: synced.plan,
        subscription: synced.subscription,
        checkout: { status: 'complete', payment_status: 'paid' },
      },
    })
    await problemOf(checkout(buyer, 'monthly'), 'conflict')
  })

  test('has invoices, a portal and a context for support', async () => {
    const portal = await buyer.POST(`${billing}/portal`)
    expect([portal.status, new URL(portal.data.url).origin]).toEqual([201, target.stripe.url])
    expect((await buyer.GET(`${billing}/invoices`)).data.data).toHaveLength(1)
    const support = await buyer.GET(`${billing}/support-context`)
    expect(support.data.latest_invoice).toMatchObject({ status: 'paid' })
  })

  test('is not changed by an unpaid checkout', async () => {
    expect((await checkout(hesitant, 'annual')).status).toBe(201)
    const { data } = await hesitant.GET(billing)
    expect(data).toMatchObject({ plan: { code: 'free' }, plan_source: 'default', subscription: null })
  })

  test('can be overridden, and the override cleared', async () => {
    const set = await buyer.PATCH(billing, { body: { plan: 'enterprise', reason: 'a trial by contract' } })
    expect(set.data).toMatchObject({ plan: { code: 'enterprise' }, plan_source: 'override' })
    const cleared = await buyer.PATCH(billing, { body: { plan: null } })
    expect(cleared.data).toMatchObject({ plan: { code: 'team' }, plan_source: 'stripe', override: null })
  })
})

describe('the webhook', () => {
  test('accepts events signed by Stripe, and refuses all others with the same answer', async () => {
    const [event] = await eventsAtStripe('customer.subscription.created')
    const other = { ...event, id: 'evt_other', type: 'customer.subscription.updated' }
    expect((await deliver(other)).status).toBe(200)
    for (const refused of [await deliver(other, 'whsec_wrong'), await http('POST', webhook, { body: other })]) {
      expect([refused.status, refused.body.code]).toEqual([400, 'invalid_input'])
      expect(refused.headers['content-type']).toBe('application/problem+json')
    }
  })

  test('accepts bodies that the gateway passes in base64', async () => {
    const [event] = await eventsAtStripe('customer.subscription.created')
    const body = JSON.stringify({ ...event, id: 'evt_binary' })
    const signature = signWebhook(body, target.stripe.webhookSecret, Math.floor(Date.now() / 1000))
    const headers = { 'stripe-signature': signature, 'content-type': 'application/octet-stream' }
    const taken = await http('POST', webhook, { body, headers })
    expect(taken.status, taken.text).toBe(200)
  })

  test('ignores events whose customer belongs to no org', async () => {
    const [event] = await eventsAtStripe('customer.subscription.created')
    const object = { id: 'sub_foreign', object: 'subscription', customer: 'cus_foreign' }
    expect((await deliver({ ...event, id: 'evt_foreign', data: { object } })).status).toBe(200)
  })
})

afterAll(() => {
  expect(
    notYetSucceeded(suites.billing),
    'operations without a successful request: add one to test/http/billing.test.ts',
  ).toEqual([])
})
