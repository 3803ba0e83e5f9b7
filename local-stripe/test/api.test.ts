/** The local Stripe's API through Stripe's own client: resources, lists, expansion, refusals, idempotency, bad days. */
import { hash } from 'node:crypto'
import Stripe from 'stripe'
import { afterEach, describe, expect, test } from 'vitest'
import {
  annual,
  beginning,
  clientOf,
  customerWithCard,
  goodCard,
  monthly,
  priceOf,
  refusalOf,
  sendForm,
  startTestStripe,
  subscriber,
} from './local-stripe.ts'

const stripe = await startTestStripe()
const { client, strict } = stripe

describe('customers', () => {
  test('are created, changed field by field, listed and found again', async () => {
    const made = await client.customers.create({ email: 'a@acme.example', metadata: { org_id: 'org_1', tier: 'x' } })
    expect(made).toMatchObject({ object: 'customer', livemode: false, created: beginning / 1000, name: null })
    const changed = await client.customers.update(made.id, { name: 'Acme', metadata: { tier: '' } })
    expect(changed).toMatchObject({ name: 'Acme', email: 'a@acme.example', metadata: { org_id: 'org_1' } })
    expect(changed.metadata).not.toHaveProperty('tier')
    expect(await client.customers.retrieve(made.id)).toMatchObject({ id: made.id, name: 'Acme' })
    const { data } = await client.customers.list({ email: 'a@acme.example' })
    expect(data.map(({ id }) => id)).toEqual([made.id])
    const found = await client.customers.search({ query: "metadata['org_id']:'org_1' AND email:'a@acme.example'" })
    expect(found.data.map(({ id }) => id)).toEqual([made.id])
    const others = await client.customers.search({ query: "metadata['org_id']:'org_2'" })
    expect(others.data).toEqual([])
  })

  test('once deleted they are a mark, their subscriptions are canceled, and nothing new can be had for them', async () => {
    const { customer, subscription } = await subscriber(stripe)
    expect(await client.customers.del(customer)).toMatchObject({ id: customer, deleted: true })
    expect(await client.customers.retrieve(customer)).toEqual(expect.objectContaining({ id: customer, deleted: true }))
    expect(await client.subscriptions.retrieve(subscription)).toMatchObject({ status: 'canceled' })
    const kept = await client.subscriptions.list({ customer, status: 'all' })
    expect(kept.data.map(({ id }) => id)).toEqual([subscription])
    const expanded = await client.subscriptions.retrieve(subscription, { expand: ['customer'] })
    expect(expanded.customer).toMatchObject({ deleted: true })
    const refusal = await refusalOf(client.billingPortal.sessions.create({ customer }))
    expect(refusal).toMatchObject({ statusCode: 400, code: 'resource_missing', param: 'customer' })
  })
})

describe('the catalog', () => {
  test('has the team plan by its lookup keys with the amounts of the plans', async () => {
    const { data } = await client.prices.list({ lookup_keys: [monthly, annual], expand: ['data.product'] })
    const amounts = data.map(({ lookup_key, unit_amount, recurring }) => [lookup_key, unit_amount, recurring?.interval])
    expect(new Set(amounts)).toEqual(
      new Set([
        [monthly, 120_000, 'month'],
        [annual, 1_152_000, 'year'],
      ]),
    )
    expect(data[0]?.product).toMatchObject({ name: 'Octomil Team', metadata: { octomil_plan: 'team' } })
    expect(data[0]?.unit_amount_decimal).toBeInstanceOf(Object)
  })

  test('a lookup key belongs to one price, and moves only with transfer_lookup_key', async () => {
    const product = await client.products.create({ name: 'Add-on' })
    const price = { currency: 'usd', product: product.id, unit_amount: 500, recurring: { interval: 'month' as const } }
    const first = await client.prices.create({ ...price, lookup_key: 'addon' })
    const { customer } = await subscriber(stripe)
    const bought = await client.subscriptions.create({ customer, items: [{ price: first.id }] })
    const refusal = await refusalOf(client.prices.create({ ...price, lookup_key: 'addon' }))
    expect(refusal).toMatchObject({ statusCode: 400, param: 'lookup_key' })
    const second = await client.prices.create({ ...price, lookup_key: 'addon', transfer_lookup_key: true })
    const found = await client.prices.list({ lookup_keys: ['addon'] })
    expect(found.data.map(({ id }) => id)).toEqual([second.id])
    const shown = await client.subscriptions.retrieve(bought.id)
    expect(shown.items.data[0]?.price.lookup_key).toBeNull()
  })

  test('a price that is no longer active cannot be bought', async () => {
    const price = await client.prices.create({
      currency: 'usd',
      product_data: { name: 'Old' },
      unit_amount: 1,
      recurring: { interval: 'month' },
    })
    await client.prices.update(price.id, { active: false })
    const line_items = [{ price: price.id, quantity: 1 }]
    const session = { mode: 'subscription' as const, success_url: 'https://app.example/done', line_items }
    expect(await refusalOf(client.checkout.sessions.create(session))).toMatchObject({
      code: 'price_inactive',
      param: 'line_items[0][price]',
    })
  })
})

describe('checkout sessions', () => {
  const open = async (more: Partial<Stripe.Checkout.SessionCreateParams> = {}) =>
    client.checkout.sessions.create({
      mode: 'subscription',
      line_items: [{ price: await priceOf(stripe, monthly), quantity: 3 }],
      success_url: 'https://app.example/done?session={CHECKOUT_SESSION_ID}',
      cancel_url: 'https://app.example/back',
      ...more,
    })

  test('carry what they were given, and when paid a subscription that carries its own', async () => {
    const customer = await customerWithCard(stripe)
    const given = {
      customer,
      client_reference_id: 'org_1',
      metadata: { org_id: 'org_1' },
      subscription_data: { metadata: { org_id: 'org_1', from: 'checkout' }, description: 'Team for Acme' },
    }
    const session = await open(given)
    expect(session).toMatchObject({
      status: 'open',
      payment_status: 'unpaid',
      amount_total: 360_000,
      subscription: null,
    })
    expect(session.expires_at - session.created).toBe(24 * 3600)
    expect((await sendForm(session.url ?? '', goodCard)).headers.get('location')).toBe(
      `https://app.example/done?session=${session.id}`,
    )
    const paid = await client.checkout.sessions.retrieve(session.id, {
      expand: ['subscription', 'line_items', 'invoice'],
    })
    expect(paid).toMatchObject({
      status: 'complete',
      payment_status: 'paid',
      url: null,
      customer,
      client_reference_id: 'org_1',
    })
    expect(paid.subscription).toMatchObject({
      status: 'active',
      metadata: { org_id: 'org_1', from: 'checkout' },
      description: 'Team for Acme',
    })
    expect(paid.line_items?.data[0]).toMatchObject({ quantity: 3, amount_total: 360_000 })
    expect(paid.invoice).toMatchObject({ status: 'paid', amount_paid: 360_000, billing_reason: 'subscription_create' })
    const listed = await client.checkout.sessions.list({ customer, status: 'complete' })
    expect(listed.data.map(({ id }) => id)).toEqual([session.id])
    const items = await client.checkout.sessions.listLineItems(session.id)
    expect(items.data).toHaveLength(1)
  })

  test('create a customer if they have none, and only once paid', async () => {
    const session = await open({ customer_email: 'new@acme.example' })
    expect(session.customer).toBeNull()
    await sendForm(session.url ?? '', { ...goodCard, name: 'N. Ew' })
    const { customer } = await client.checkout.sessions.retrieve(session.id, { expand: ['customer'] })
    expect(customer).toMatchObject({ email: 'new@acme.example', name: 'N. Ew' })
  })

  test('expire on request, and then cannot be paid or expired again', async () => {
    const session = await open()
    expect(await client.checkout.sessions.expire(session.id)).toMatchObject({ status: 'expired', url: null })
    expect((await sendForm(session.url ?? '', { ...goodCard, email: 'a@b.example' })).status).toBe(200)
    expect(await client.checkout.sessions.retrieve(session.id)).toMatchObject({ subscription: null })
    expect(await refusalOf(client.checkout.sessions.expire(session.id))).toMatchObject({ statusCode: 400 })
  })

  test('may be given half an hour to a day, and only addresses that a browser can go to', async () => {
    const now = beginning / 1000
    expect((await open({ expires_at: now + 1800 })).expires_at).toBe(now + 1800)
    for (const expires_at of [now + 60, now + 25 * 3600]) {
      expect(await refusalOf(open({ expires_at }))).toMatchObject({ param: 'expires_at' })
    }
    expect(await refusalOf(open({ success_url: 'javascript:alert(1)' }))).toMatchObject({ code: 'url_invalid' })
  })

  test('two for the same customer can both be paid, as with Stripe', async () => {
    const customer = await customerWithCard(stripe)
    const sessions = [await open({ customer }), await open({ customer })]
    for (const { url } of sessions) await sendForm(url ?? '', goodCard)
    expect((await client.subscriptions.list({ customer })).data).toHaveLength(2)
  })
})

describe('lists', () => {
  test('come newest first in pages, and the client walks them whole in both directions', async () => {
    const ids: string[] = []
    const email = 'many@acme.example'
    for (let made = 0; made < 25; made += 1) ids.unshift((await client.customers.create({ email })).id)
    const first = await client.customers.list({ email })
    expect(first).toMatchObject({ object: 'list', url: '/v1/customers', has_more: true })
    expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 10))
    const walked = await client.customers.list({ email, limit: 4 }).autoPagingToArray({ limit: 100 })
    expect(walked.map(({ id }) => id)).toEqual(ids)
    const before = await client.customers.list({ email, ending_before: ids[12] ?? '', limit: 5 })
    expect(before.data.map(({ id }) => id)).toEqual(ids.slice(7, 12))
    expect(before.has_more).toBe(true)
    const last = await client.customers.list({ email, starting_after: ids[23] ?? '' })
    expect(last).toMatchObject({ has_more: false, data: [{ id: ids[24] }] })
  })

  test('refuse an unknown cursor, both cursors together, and limits outside 1 to 100', async () => {
    const { customers } = client
    const both = { starting_after: 'cus_x', ending_before: 'cus_x' }
    expect(await refusalOf(customers.list({ starting_after: 'cus_x' }))).toMatchObject({ param: 'starting_after' })
    expect(await refusalOf(customers.list(both))).toMatchObject({ code: 'parameters_exclusive' })
    for (const limit of [0, 101]) {
      expect(await refusalOf(customers.list({ limit }))).toMatchObject({
        code: 'parameter_invalid_integer',
        param: 'limit',
      })
    }
  })

  test('of subscriptions omit canceled ones unless requested, and refuse an unknown customer', async () => {
    const { customer, subscription } = await subscriber(stripe)
    await client.subscriptions.cancel(subscription)
    expect((await client.subscriptions.list({ customer })).data).toEqual([])
    expect((await client.subscriptions.list({ customer, status: 'all' })).data).toHaveLength(1)
    expect((await client.subscriptions.list({ customer, status: 'ended' })).data).toHaveLength(1)
    expect((await client.subscriptions.list({ customer, status: 'active' })).data).toEqual([])
    expect(await refusalOf(client.subscriptions.list({ customer: 'cus_absent' }))).toMatchObject({
      statusCode: 400,
      code: 'resource_missing',
      param: 'customer',
    })
  })
})

describe('expansion', () => {
  test('replaces ids by objects, in lists and through several levels', async () => {
    const { customer, subscription } = await subscriber(stripe)
    const { data } = await client.subscriptions.list({
      customer,
      expand: ['data.customer', 'data.latest_invoice', 'data.items.data.price'],
    })
    expect(data[0]).toMatchObject({ customer: { id: customer }, latest_invoice: { status: 'paid' } })
    const whole = await client.subscriptions.retrieve(subscription, { expand: ['items.data.price.product'] })
    expect(whole.items.data[0]?.price.product).toMatchObject({ object: 'product', name: 'Octomil Team' })
    const owner = await client.customers.retrieve(customer, { expand: ['subscriptions'] })
    expect(owner).toMatchObject({ subscriptions: { object: 'list', data: [{ id: subscription }] } })
  })

  test('stops at four levels, and refuses fields that cannot be expanded', async () => {
    const { customer, subscription } = await subscriber(stripe)
    const deep = client.subscriptions.list({ customer, expand: ['data.items.data.price.product'] })
    expect((await refusalOf(deep)).message).toContain('more than 4 levels')
    const unknown = client.subscriptions.retrieve(subscription, { expand: ['owner'] })
    expect((await refusalOf(unknown)).message).toBe('This property cannot be expanded (owner).')
    const inList = client.subscriptions.list({ customer, expand: ['customer'] })
    expect((await refusalOf(inList)).message).toContain("'data.customer'")
  })
})

describe('refusals', () => {
  test('have the status, type, code and parameter that Stripe gives them', async () => {
    const unknown = { name: 'x', colour: 'red' } as Stripe.CustomerCreateParams
    const cases = [
      [client.customers.retrieve('cus_none'), 404, 'resource_missing', 'id', "No such customer: 'cus_none'"],
      [client.customers.create(unknown), 400, 'parameter_unknown', 'colour', 'Received unknown parameter: colour'],
      [
        client.checkout.sessions.create({ mode: 'subscription', success_url: 'https://a.example' }),
        400,
        'parameter_missing',
        'line_items',
        'Missing required param: line_items.',
      ],
      [
        client.subscriptions.create({ customer: 'cus_none', items: [{ price: 'price_none' }] }),
        400,
        'resource_missing',
        'customer',
        "No such customer: 'cus_none'",
      ],
    ] as const
    for (const [call, statusCode, code, param, message] of cases) {
      const refusal = await refusalOf(call)
      expect(refusal).toBeInstanceOf(Stripe.errors.StripeInvalidRequestError)
      expect(refusal).toMatchObject({ statusCode, code, param, message })
      expect(refusal.requestId).toMatch(/^req_/)
    }
  })

  test('any test key gives access; another or none is 401', async () => {
    expect(await clientOf(stripe.url, 0, 'rk_test_restricted').accounts.retrieveCurrent()).toMatchObject({
      object: 'account',
    })
    const refusal = await refusalOf(clientOf(stripe.url, 0, 'sk_live_realmoney1234').customers.list())
    expect(refusal).toBeInstanceOf(Stripe.errors.StripeAuthenticationError)
    expect(refusal.message).not.toContain('realmoney')
    const none = await fetch(`${stripe.url}/v1/customers`)
    expect(none.status).toBe(401)
    expect(await none.json()).toMatchObject({ error: { type: 'invalid_request_error' } })
  })

  test('an unknown path or method is 404 in Stripe’s format', async () => {
    for (const [method, path] of [
      ['GET', '/v1/nothing'],
      ['PATCH', '/v1/customers'],
      ['GET', '/v1/customers/'],
    ] as const) {
      const answer = await fetch(stripe.url + path, { method, headers: { authorization: 'Bearer sk_test_x' } })
      expect(answer.status).toBe(404)
      expect(await answer.json()).toMatchObject({
        error: { message: expect.stringContaining('Unrecognized request URL') },
      })
    }
  })

  test('a refused request changes nothing and emits no event', async () => {
    const customer = await customerWithCard(stripe)
    const everything = () => hash('sha256', JSON.stringify(stripe.engine.store.save().collections))
    const price = await priceOf(stripe, monthly)
    await stripe.control('POST', 'card', { customer, fails: true })
    const before = everything()
    const wanted = { customer, items: [{ price }], payment_behavior: 'error_if_incomplete' as const }
    expect(await refusalOf(client.subscriptions.create(wanted))).toBeInstanceOf(Stripe.errors.StripeCardError)
    expect(everything()).toBe(before)
    await client.subscriptions.create({ ...wanted, payment_behavior: 'allow_incomplete' })
    expect(everything()).not.toBe(before)
  })

  test('answers have a request id and the requested version', async () => {
    const { lastResponse } = await client.customers.list({ limit: 1 })
    expect(lastResponse.requestId).toMatch(/^req_/)
    expect(lastResponse.headers['stripe-version']).toBe(Stripe.API_VERSION)
    const older = await fetch(`${stripe.url}/v1/account`, {
      headers: { authorization: `Basic ${btoa('sk_test_x:')}`, 'stripe-version': '2024-06-20' },
    })
    expect(older.headers.get('stripe-version')).toBe('2024-06-20')
  })
})

describe('idempotency keys', () => {
  const create = (idempotencyKey: string, email = 'a@b.example') =>
    strict.customers.create({ email }, { idempotencyKey })

  test('the same request again is answered the same, and done once', async () => {
    const first = await create('key-1')
    const second = await create('key-1')
    expect(second.id).toBe(first.id)
    expect(first.lastResponse.headers).not.toHaveProperty('idempotent-replayed')
    expect(second.lastResponse.headers).toMatchObject({
      'idempotent-replayed': 'true',
      'original-request': first.lastResponse.requestId,
    })
  })

  test('another request with the same key is refused', async () => {
    await create('key-2')
    const refusal = await refusalOf(create('key-2', 'other@b.example'))
    expect(refusal).toBeInstanceOf(Stripe.errors.StripeIdempotencyError)
    expect(refusal.statusCode).toBe(400)
  })

  test('while the first request runs, the second is refused', async () => {
    await stripe.control('POST', 'faults', { kind: 'delay', delay_ms: 300 })
    const first = create('key-3')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await refusalOf(create('key-3'))).toMatchObject({ statusCode: 409, code: 'idempotency_key_in_use' })
    expect((await first).object).toBe('customer')
  })

  test('parameters that were refused are not kept: mended, they may come with the same key', async () => {
    const wrong = { colour: 'red' } as Stripe.CustomerCreateParams
    await refusalOf(strict.customers.create(wrong, { idempotencyKey: 'key-4' }))
    expect((await create('key-4')).object).toBe('customer')
  })

  test('an answer that was lost on the way is found again by the retry, and the thing exists once', async () => {
    await stripe.control('POST', 'faults', { kind: 'lost_answer', method: 'POST', path: '/v1/customers' })
    const email = 'lost@acme.example'
    const made = await client.customers.create({ email }, { idempotencyKey: 'key-5' })
    const { data } = await client.customers.list({ email })
    expect(data.map(({ id }) => id)).toEqual([made.id])
  })
})

describe('bad days', () => {
  afterEach(() => stripe.control('DELETE', 'faults'))

  test('errors, rate limits and broken connections occur as often as configured', async () => {
    await stripe.control('POST', 'faults', { kind: 'error', status: 503, count: 2 })
    expect(await client.customers.list({ limit: 1 })).toMatchObject({ object: 'list' })
    await stripe.control('POST', 'faults', { kind: 'error', count: 1 })
    expect(await refusalOf(strict.customers.list())).toBeInstanceOf(Stripe.errors.StripeAPIError)
    await stripe.control('POST', 'faults', { kind: 'rate_limit' })
    expect(await refusalOf(strict.customers.list())).toBeInstanceOf(Stripe.errors.StripeRateLimitError)
    // The client tries a connection that was closed on it once more, retries or not.
    await stripe.control('POST', 'faults', { kind: 'reset', count: 2 })
    expect(await refusalOf(strict.customers.list())).toBeInstanceOf(Stripe.errors.StripeConnectionError)
    expect(await strict.customers.list({ limit: 1 })).toMatchObject({ object: 'list' })
  })

  test('the client gives up a request without an answer, which changed nothing', async () => {
    await stripe.control('POST', 'faults', { kind: 'timeout', method: 'POST' })
    const email = 'never@acme.example'
    const refusal = await refusalOf(strict.customers.create({ email }, { timeout: 100 }))
    expect(refusal).toBeInstanceOf(Stripe.errors.StripeConnectionError)
    expect((await client.customers.list({ email })).data).toEqual([])
  })

  test('faults affect matching requests only', async () => {
    await stripe.control('POST', 'faults', { kind: 'error', path: '/v1/invoices' })
    expect(await strict.customers.list({ limit: 1 })).toMatchObject({ object: 'list' })
    await refusalOf(strict.invoices.list())
  })
})

describe('the controls', () => {
  test('accept JSON only, and explain their errors', async () => {
    const form = await fetch(`${stripe.url}/local/stripe/advance`, { method: 'POST', body: 'days=1' })
    expect(form.status).toBe(415)
    expect((await stripe.control('POST', 'advance', { days: -1 })).status).toBe(400)
    const misspelled = await stripe.control('POST', 'advance', { day: 31 })
    expect([misspelled.status, misspelled.body]).toEqual([400, { error: expect.stringContaining('as in {"days":31}') }])
    expect((await stripe.control('POST', 'card', { customer: 'cus_none', fails: true })).status).toBe(404)
  })

  test('the portal has a session per customer, with a flow when it is to open one', async () => {
    const { customer, subscription } = await subscriber(stripe)
    const session = await client.billingPortal.sessions.create({
      customer,
      return_url: 'https://app.example/billing',
      flow_data: { type: 'subscription_cancel', subscription_cancel: { subscription } },
    })
    expect(session).toMatchObject({ customer, flow: { subscription_cancel: { subscription } } })
    const { data } = await client.billingPortal.configurations.list({ is_default: true })
    expect(data[0]?.id).toBe(session.configuration)
  })
})
