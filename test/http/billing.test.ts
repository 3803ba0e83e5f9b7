/** Billing over HTTP: a plan is bought on Stripe's page, and Stripe's signed event brings it in, through webhook, bus and projector. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signWebhook } from '../../local/stripe/webhooks.ts'
import { type HttpResponse, http, notYetSucceeded, openTarget, suites, type Target } from './target.ts'

const billing = '/api/v1/settings/billing'
const webhook = '/api/v1/webhooks/stripe'
let target: Target

beforeAll(async () => {
  target = await openTarget()
})

const ask = (method: string, path: string, body?: object, token: string = target.buyers[0]) =>
  http(method, `${billing}${path}`, { token, ...(body ? { body } : {}) })

/** Buys on Stripe's page, as a browser sends its form. */
async function pay(checkoutUrl: string): Promise<void> {
  const card = { number: '4242 4242 4242 4242', expiry: '12 / 40', cvc: '123' }
  const form = new URLSearchParams({ ...card, name: 'A Buyer', email: 'buyer@example.com' })
  const paid = await fetch(checkoutUrl, { method: 'POST', body: form, redirect: 'manual' })
  expect(paid.status, await paid.text()).toBe(303)
}

/** What Stripe has to tell of a customer, newest first. */
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

/** Billing once it is as wanted, or as it is when the patience ends. */
async function billingOnce(isWanted: (body: HttpResponse['body']) => boolean): Promise<HttpResponse['body']> {
  for (let attempt = 0; ; attempt++) {
    const { body } = await ask('GET', '')
    if (isWanted(body) || attempt === 60) return body
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

describe('a plan', () => {
  test('is bought at Stripe, comes in by Stripe’s event, and is there on the way back too', async () => {
    const none = await ask('GET', '/invoices')
    expect([none.status, none.body.data]).toEqual([200, []])
    const started = await ask('POST', '/checkout', { plan: 'team', interval: 'monthly' })
    expect(started.status, started.text).toBe(201)
    await pay(started.body.url)

    const [event] = await eventsAtStripe('customer.subscription.created')
    const delivered = await deliver(event ?? {})
    expect([delivered.status, delivered.body], delivered.text).toEqual([200, { received: true }])
    const synced = await billingOnce(({ plan_source }) => plan_source === 'stripe')
    expect(synced).toMatchObject({ plan: { code: 'team' }, plan_source: 'stripe', subscription: { status: 'active' } })

    const reconciled = await ask('POST', '/checkout/reconcile', { session_id: started.body.session_id })
    expect(reconciled.status, reconciled.text).toBe(200)
    expect(reconciled.body).toMatchObject({
      plan: synced.plan,
      subscription: synced.subscription,
      checkout: { status: 'complete', payment_status: 'paid' },
    })
    expect((await ask('POST', '/checkout', { plan: 'team', interval: 'monthly' })).status).toBe(409)
  })

  test('has invoices, a portal and a context for support', async () => {
    const portal = await ask('POST', '/portal')
    expect([portal.status, new URL(portal.body.url).origin]).toEqual([201, target.stripe.url])
    const invoices = await ask('GET', '/invoices')
    expect(invoices.body.data, invoices.text).toHaveLength(1)
    const support = await ask('GET', '/support-context')
    expect(support.body.latest_invoice, support.text).toMatchObject({ status: 'paid' })
  })

  test('is not changed by a checkout that nobody pays', async () => {
    const [, hesitant] = target.buyers
    const started = await ask('POST', '/checkout', { plan: 'team', interval: 'annual' }, hesitant)
    expect(started.status, started.text).toBe(201)
    const { body } = await ask('GET', '', undefined, hesitant)
    expect(body).toMatchObject({ plan: { code: 'free' }, plan_source: 'default', subscription: null })
  })

  test('can be overridden beside what Stripe says, and given back', async () => {
    const set = await ask('PATCH', '', { plan: 'enterprise', reason: 'a trial by contract' })
    expect(set.body, set.text).toMatchObject({ plan: { code: 'enterprise' }, plan_source: 'override' })
    const cleared = await ask('PATCH', '', { plan: null })
    expect(cleared.body, cleared.text).toMatchObject({ plan: { code: 'team' }, plan_source: 'stripe', override: null })
  })
})

describe('the webhook', () => {
  test('takes what Stripe signed, and refuses everything else alike', async () => {
    const [event] = await eventsAtStripe('customer.subscription.created')
    const other = { ...event, id: 'evt_other', type: 'customer.subscription.updated' }
    expect((await deliver(other)).status).toBe(200)
    for (const refused of [await deliver(other, 'whsec_wrong'), await http('POST', webhook, { body: other })]) {
      expect([refused.status, refused.body.code]).toEqual([400, 'invalid_input'])
      expect(refused.headers['content-type']).toBe('application/problem+json')
    }
  })

  test('takes bodies that the gateway passes in base64', async () => {
    const [event] = await eventsAtStripe('customer.subscription.created')
    const body = JSON.stringify({ ...event, id: 'evt_binary' })
    const signature = signWebhook(body, target.stripe.webhookSecret, Math.floor(Date.now() / 1000))
    const headers = { 'stripe-signature': signature, 'content-type': 'application/octet-stream' }
    const taken = await http('POST', webhook, { body, headers })
    expect(taken.status, taken.text).toBe(200)
  })

  test('passes over what is of no customer of ours', async () => {
    const [event] = await eventsAtStripe('customer.subscription.created')
    const object = { id: 'sub_foreign', object: 'subscription', customer: 'cus_foreign' }
    expect((await deliver({ ...event, id: 'evt_foreign', data: { object } })).status).toBe(200)
  })
})

afterAll(() => {
  expect(notYetSucceeded(suites.billing), 'operations that this suite never saw succeed').toEqual([])
})
