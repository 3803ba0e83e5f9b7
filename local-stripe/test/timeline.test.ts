/** What time does in the local Stripe: renewals, failing cards, ends of trials and plans, in the order Stripe has them. */
import type Stripe from 'stripe'
import { describe, expect, test } from 'vitest'
import {
  annual,
  beginning,
  customerWithCard,
  eventTypes,
  goodCard,
  monthly,
  priceOf,
  refusalOf,
  sendForm,
  startTestStripe,
  subscriber,
  type TestStripe,
} from './local-stripe.ts'

const day = 86_400
const at = (iso: string): number => Date.parse(iso) / 1000

/** Each test has its own, since time only moves forward. */
const begin = () => startTestStripe()

const advance = (stripe: TestStripe, days: number) => stripe.control('POST', 'advance', { days })

async function stateOf({ client }: TestStripe, id: string) {
  const subscription = await client.subscriptions.retrieve(id, { expand: ['latest_invoice'] })
  const { latest_invoice: invoice } = subscription
  if (typeof invoice !== 'object' || invoice === null) throw new Error('the invoice was not expanded')
  const [item] = subscription.items.data
  return { subscription, invoice, start: item?.current_period_start ?? 0, end: item?.current_period_end ?? 0 }
}

const typesAfter = (stripe: TestStripe, created: number) => eventTypes(stripe, { created: { gt: created } })

describe('a renewal', () => {
  test('begins the next period immediately and collects its invoice an hour later', async () => {
    const stripe = await begin()
    const { subscription: id } = await subscriber(stripe)
    const bought = await stateOf(stripe, id)
    // Bought on January 31st: the period ends on the last day of February, and the next on March 31st again.
    expect([bought.start, bought.end]).toEqual([at('2026-01-31T12:00:00Z'), at('2026-02-28T12:00:00Z')])
    await stripe.control('POST', 'advance', { to: '2026-02-28T12:30:00Z' })
    const renewed = await stateOf(stripe, id)
    expect([renewed.start, renewed.end]).toEqual([at('2026-02-28T12:00:00Z'), at('2026-03-31T12:00:00Z')])
    expect(renewed.invoice).toMatchObject({ status: 'draft', billing_reason: 'subscription_cycle', number: null })
    await stripe.control('POST', 'advance', { to: '2026-02-28T13:00:00Z' })
    const paid = await stateOf(stripe, id)
    expect(paid.invoice).toMatchObject({
      status: 'paid',
      amount_paid: 120_000,
      number: expect.stringMatching(/-0002$/),
    })
    expect(paid.subscription.status).toBe('active')
    expect(await typesAfter(stripe, beginning / 1000)).toEqual([
      'invoice.created',
      'customer.subscription.updated',
      'invoice.finalized',
      'invoice.paid',
      'invoice.payment_succeeded',
    ])
  })

  test('of a skipped year happens period by period, each on its own date', async () => {
    const stripe = await begin()
    const { customer } = await subscriber(stripe)
    await advance(stripe, 364.9)
    const invoices = await stripe.client.invoices.list({ customer, limit: 100 })
    const days = invoices.data.map(({ created }) => new Date(created * 1000).toISOString().slice(0, 10))
    expect(days).toEqual([
      ...['2026-12-31', '2026-11-30', '2026-10-31', '2026-09-30', '2026-08-31', '2026-07-31'],
      ...['2026-06-30', '2026-05-31', '2026-04-30', '2026-03-31', '2026-02-28', '2026-01-31'],
    ])
    expect(new Set(invoices.data.map(({ status }) => status))).toEqual(new Set(['paid']))
    const times = (await stripe.client.events.list({ limit: 100 })).data.map(({ created }) => created)
    expect(times).toEqual(times.toSorted((a, b) => b - a))
    const month = beginning / 1000 + 334 * day
    expect(times.every((created) => created >= month)).toBe(true)
  })
})

describe('a failing card', () => {
  test('makes a subscription past due, is tried again on schedule, and then ends it', async () => {
    const stripe = await begin()
    const { customer, subscription: id } = await subscriber(stripe)
    await stripe.control('POST', 'card', { customer, fails: true })
    await stripe.control('POST', 'advance', { to: '2026-02-28T13:00:00Z' })
    const failed = await stateOf(stripe, id)
    expect(failed.subscription.status).toBe('past_due')
    expect(failed.invoice).toMatchObject({ status: 'open', attempt_count: 1, amount_remaining: 120_000 })
    expect(failed.invoice.next_payment_attempt).toBe(at('2026-03-03T13:00:00Z'))
    expect(await stripe.client.customers.retrieve(customer)).toMatchObject({ delinquent: true })
    await advance(stripe, 8)
    expect(await stateOf(stripe, id)).toMatchObject({
      subscription: { status: 'past_due' },
      invoice: { attempt_count: 3 },
    })
    await advance(stripe, 7)
    const ended = await stateOf(stripe, id)
    expect(ended.subscription).toMatchObject({ status: 'canceled', cancellation_details: { reason: 'payment_failed' } })
    expect(ended.invoice).toMatchObject({
      status: 'open',
      attempt_count: 4,
      auto_advance: false,
      next_payment_attempt: null,
    })
    const types = await typesAfter(stripe, beginning / 1000)
    expect(types.filter((type) => type === 'invoice.payment_failed')).toHaveLength(4)
    expect(types.at(-1)).toBe('customer.subscription.deleted')
    const over = at('2026-03-20T00:00:00Z')
    await advance(stripe, 100)
    expect(await typesAfter(stripe, over)).toEqual([])
  })

  test('that works again before the last try makes everything good', async () => {
    const stripe = await begin()
    const { customer, subscription: id } = await subscriber(stripe)
    await stripe.control('POST', 'card', { customer, fails: true })
    await advance(stripe, 30)
    expect((await stateOf(stripe, id)).subscription.status).toBe('past_due')
    await stripe.control('POST', 'card', { customer, fails: false })
    await advance(stripe, 3)
    expect(await stateOf(stripe, id)).toMatchObject({ subscription: { status: 'active' }, invoice: { status: 'paid' } })
    expect(await stripe.client.customers.retrieve(customer)).toMatchObject({ delinquent: false })
  })

  test('leaves the subscription unpaid where the account says so, with drafts that are not collected', async () => {
    const stripe = await begin()
    const { customer, subscription: id } = await subscriber(stripe)
    await stripe.control('POST', 'settings', { after_retries: 'unpaid' })
    await stripe.control('POST', 'card', { customer, fails: true })
    await advance(stripe, 50)
    expect((await stateOf(stripe, id)).subscription.status).toBe('unpaid')
    await advance(stripe, 20)
    const { invoice } = await stateOf(stripe, id)
    expect(invoice).toMatchObject({ status: 'draft', auto_advance: false })
    await stripe.control('POST', 'card', { customer, fails: false })
    await stripe.client.invoices.pay(invoice.id)
    expect((await stateOf(stripe, id)).subscription.status).toBe('active')
  })

  test('number 0341 is taken at checkout and fails at the first renewal', async () => {
    const stripe = await begin()
    const session = await stripe.client.checkout.sessions.create({
      mode: 'subscription',
      line_items: [{ price: await priceOf(stripe, monthly), quantity: 1 }],
      success_url: 'https://app.example/done',
      customer_email: 'a@acme.example',
    })
    await sendForm(session.url ?? '', { ...goodCard, number: '4000000000000341' })
    const { subscription } = await stripe.client.checkout.sessions.retrieve(session.id)
    const id = String(subscription)
    expect((await stateOf(stripe, id)).subscription.status).toBe('active')
    await advance(stripe, 29)
    expect((await stateOf(stripe, id)).subscription.status).toBe('past_due')
  })

  test('at the first payment leaves the subscription incomplete for 23 hours, and then expired', async () => {
    const stripe = await begin()
    const customer = await customerWithCard(stripe)
    await stripe.control('POST', 'card', { customer, fails: true })
    const items = [{ price: await priceOf(stripe, monthly) }]
    const { id, status } = await stripe.client.subscriptions.create({ customer, items })
    expect(status).toBe('incomplete')
    await stripe.control('POST', 'advance', { days: 22 / 24 })
    expect((await stateOf(stripe, id)).subscription.status).toBe('incomplete')
    await stripe.control('POST', 'advance', { days: 1 / 24 })
    expect(await stateOf(stripe, id)).toMatchObject({
      subscription: { status: 'incomplete_expired' },
      invoice: { status: 'void' },
    })
  })

  test('refuses a payment with 402, and the attempt counts', async () => {
    const stripe = await begin()
    const { customer, subscription: id } = await subscriber(stripe)
    await stripe.control('POST', 'card', { customer, fails: true })
    await advance(stripe, 29)
    const { invoice } = await stateOf(stripe, id)
    expect(await refusalOf(stripe.client.invoices.pay(invoice.id))).toMatchObject({
      statusCode: 402,
      code: 'card_declined',
    })
    expect((await stateOf(stripe, id)).invoice.attempt_count).toBe(2)
  })
})

describe('a cancellation', () => {
  test('at the period’s end lets the plan run and then ends it, and can be taken back before', async () => {
    const stripe = await begin()
    const { subscription: id } = await subscriber(stripe)
    const { end } = await stateOf(stripe, id)
    const planned = await stripe.client.subscriptions.update(id, { cancel_at_period_end: true })
    expect(planned).toMatchObject({ status: 'active', cancel_at_period_end: true, cancel_at: end })
    const back = await stripe.client.subscriptions.update(id, { cancel_at_period_end: false })
    expect(back).toMatchObject({ cancel_at_period_end: false, cancel_at: null, canceled_at: null })
    await stripe.client.subscriptions.update(id, { cancel_at_period_end: true })
    await advance(stripe, 40)
    const { subscription, invoice } = await stateOf(stripe, id)
    expect(subscription).toMatchObject({ status: 'canceled', ended_at: end })
    // It ended, so no second period was invoiced.
    expect(invoice.billing_reason).toBe('subscription_create')
    expect((await eventTypes(stripe)).at(-1)).toBe('customer.subscription.deleted')
  })

  test('now ends it immediately; an ended subscription can neither be canceled nor changed', async () => {
    const stripe = await begin()
    const { subscription: id } = await subscriber(stripe)
    const canceled = await stripe.client.subscriptions.cancel(id, { cancellation_details: { comment: 'too big' } })
    expect(canceled).toMatchObject({ status: 'canceled', cancellation_details: { comment: 'too big' } })
    expect(await refusalOf(stripe.client.subscriptions.cancel(id))).toMatchObject({ statusCode: 404 })
    const change = stripe.client.subscriptions.update(id, { cancel_at_period_end: true })
    expect(await refusalOf(change)).toMatchObject({ code: 'invalid_canceled_subscription_fields' })
    expect(await stripe.client.subscriptions.update(id, { metadata: { note: 'x' } })).toMatchObject({
      metadata: { note: 'x' },
    })
  })
})

describe('a trial', () => {
  test('is announced three days before its end, and then paid', async () => {
    const stripe = await begin()
    const { subscription: id } = await subscriber(stripe, { trial_period_days: 14 })
    const { subscription, invoice } = await stateOf(stripe, id)
    expect(subscription).toMatchObject({ status: 'trialing', trial_end: beginning / 1000 + 14 * day })
    expect(invoice).toMatchObject({ status: 'paid', amount_due: 0 })
    await advance(stripe, 12)
    expect((await eventTypes(stripe)).at(-1)).toBe('customer.subscription.trial_will_end')
    await advance(stripe, 3)
    expect(await stateOf(stripe, id)).toMatchObject({
      subscription: { status: 'active' },
      invoice: { status: 'paid', amount_paid: 120_000 },
      start: beginning / 1000 + 14 * day,
    })
  })

  test.each([
    ['cancel', 'canceled', 'customer.subscription.deleted'],
    ['pause', 'paused', 'customer.subscription.paused'],
    ['create_invoice', 'past_due', 'invoice.payment_failed'],
  ] as const)('without a card, and to %s, is %s at its end', async (missing_payment_method, status, event) => {
    const stripe = await begin()
    const { id: customer } = await stripe.client.customers.create()
    const { id } = await stripe.client.subscriptions.create({
      customer,
      items: [{ price: await priceOf(stripe, monthly) }],
      trial_period_days: 7,
      trial_settings: { end_behavior: { missing_payment_method } },
    })
    await advance(stripe, 8)
    expect((await stateOf(stripe, id)).subscription.status).toBe(status)
    expect(await eventTypes(stripe)).toContain(event)
  })

  test('can be ended now, and is paid immediately', async () => {
    const stripe = await begin()
    const { subscription: id } = await subscriber(stripe, { trial_period_days: 14 })
    await advance(stripe, 2)
    await stripe.client.subscriptions.update(id, { trial_end: 'now' })
    expect(await stateOf(stripe, id)).toMatchObject({
      subscription: { status: 'active' },
      invoice: { amount_paid: 120_000 },
    })
  })
})

describe('a pause', () => {
  test('stops the periods until it is resumed, with a new period and its invoice', async () => {
    const stripe = await begin()
    const { subscription: id } = await subscriber(stripe)
    await stripe.client.subscriptions.pause(id, { type: 'subscription' })
    await advance(stripe, 60)
    expect(await stateOf(stripe, id)).toMatchObject({
      subscription: { status: 'paused' },
      invoice: { billing_reason: 'subscription_create' },
    })
    await stripe.client.subscriptions.resume(id)
    expect(await stateOf(stripe, id)).toMatchObject({
      subscription: { status: 'active' },
      invoice: { status: 'paid', billing_reason: 'subscription_update' },
      start: beginning / 1000 + 60 * day,
    })
    const types = await eventTypes(stripe, { created: { gte: beginning / 1000 + 59 * day } })
    expect(types).toContain('customer.subscription.resumed')
  })

  test('of the collection leaves drafts, and ends by itself at the given time', async () => {
    const stripe = await begin()
    const { subscription: id } = await subscriber(stripe)
    const pause_collection = { behavior: 'keep_as_draft' as const, resumes_at: beginning / 1000 + 40 * day }
    await stripe.client.subscriptions.update(id, { pause_collection })
    await advance(stripe, 35)
    expect(await stateOf(stripe, id)).toMatchObject({
      subscription: { status: 'active' },
      invoice: { status: 'draft' },
    })
    await advance(stripe, 6)
    expect((await stateOf(stripe, id)).subscription.pause_collection).toBeNull()
  })
})

describe('a change of plan', () => {
  const itemOf = async (stripe: TestStripe, id: string) =>
    (await stripe.client.subscriptions.retrieve(id)).items.data[0]?.id ?? ''

  test('to another interval begins a period now, with credit for unused time', async () => {
    const stripe = await begin()
    const { subscription: id } = await subscriber(stripe)
    await advance(stripe, 14)
    const items = [{ id: await itemOf(stripe, id), price: await priceOf(stripe, annual) }]
    await stripe.client.subscriptions.update(id, { items })
    const { invoice, start, end } = await stateOf(stripe, id)
    expect([start, end]).toEqual([at('2026-02-14T12:00:00Z'), at('2027-02-14T12:00:00Z')])
    expect(invoice.lines.data.map(({ amount }) => amount)).toEqual([-60_000, 1_152_000])
    expect(invoice).toMatchObject({ status: 'paid', amount_paid: 1_092_000, billing_reason: 'subscription_update' })
  })

  test('to a higher quantity is prorated: with the next invoice, immediately, or not at all', async () => {
    const totals: Record<string, number[]> = {}
    for (const proration_behavior of ['create_prorations', 'always_invoice', 'none'] as const) {
      const stripe = await begin()
      const { customer, subscription: id } = await subscriber(stripe)
      await advance(stripe, 14)
      await stripe.client.subscriptions.update(id, {
        items: [{ id: await itemOf(stripe, id), quantity: 3 }],
        proration_behavior,
      })
      await advance(stripe, 20)
      const { data } = await stripe.client.invoices.list({ customer })
      totals[proration_behavior] = data.map(({ amount_paid }) => amount_paid).reverse()
    }
    expect(totals).toEqual({
      create_prorations: [120_000, 480_000],
      always_invoice: [120_000, 120_000, 360_000],
      none: [120_000, 360_000],
    })
  })

  test('to a lower price becomes credit, which the next invoices use up first', async () => {
    const stripe = await begin()
    const { customer, subscription: id } = await subscriber(stripe, {
      items: [{ price: await priceOf(stripe, monthly), quantity: 4 }],
    })
    await advance(stripe, 14)
    const items = [{ id: await itemOf(stripe, id), quantity: 1 }]
    await stripe.client.subscriptions.update(id, { items, proration_behavior: 'always_invoice' })
    expect((await stateOf(stripe, id)).invoice).toMatchObject({ total: -180_000, amount_due: 0, status: 'paid' })
    expect(await stripe.client.customers.retrieve(customer)).toMatchObject({ balance: -180_000 })
    await advance(stripe, 20)
    expect((await stateOf(stripe, id)).invoice).toMatchObject({
      total: 120_000,
      amount_due: 0,
      ending_balance: -60_000,
    })
  })

  test('an item without its id is added beside the others, as Stripe does, and not twice', async () => {
    const stripe = await begin()
    const { subscription: id } = await subscriber(stripe)
    const price = await priceOf(stripe, monthly)
    expect((await refusalOf(stripe.client.subscriptions.update(id, { items: [{ price }] }))).message).toContain(
      'same plan',
    )
    const addon: Stripe.PriceCreateParams = {
      currency: 'usd',
      product_data: { name: 'Support' },
      unit_amount: 900,
      recurring: { interval: 'month' },
    }
    const { id: support } = await stripe.client.prices.create(addon)
    const changed = await stripe.client.subscriptions.update(id, { items: [{ price: support }] })
    expect(changed.items.data.map((item) => item.price.id)).toEqual([price, support])
  })
})

test('an unpaid checkout session expires after a day and emits an event', async () => {
  const stripe = await begin()
  const session = await stripe.client.checkout.sessions.create({
    mode: 'subscription',
    line_items: [{ price: await priceOf(stripe, monthly), quantity: 1 }],
    success_url: 'https://app.example/done',
  })
  await advance(stripe, 0.9)
  expect((await stripe.client.checkout.sessions.retrieve(session.id)).status).toBe('open')
  await advance(stripe, 0.2)
  expect((await stripe.client.checkout.sessions.retrieve(session.id)).status).toBe('expired')
  const { data } = await stripe.client.events.list({ type: 'checkout.session.expired' })
  expect(data[0]?.created).toBe(session.expires_at)
})

test('events are kept for thirty days', async () => {
  const stripe = await begin()
  const customer = await customerWithCard(stripe)
  const { data } = await stripe.client.events.list({ type: 'customer.created' })
  expect(data[0]?.data.object).toMatchObject({ id: customer })
  await advance(stripe, 31)
  expect((await stripe.client.events.list()).data).toEqual([])
  expect(await refusalOf(stripe.client.events.retrieve(data[0]?.id ?? ''))).toMatchObject({ statusCode: 404 })
})
