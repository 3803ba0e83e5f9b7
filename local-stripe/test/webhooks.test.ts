/** Delivery of events: signed like Stripe's, in order, with retries, without delaying requests. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type Stripe from 'stripe'
import { expect, test } from 'vitest'
import { startTestStripe, subscriber, type TestStripe, webhookSecret } from './local-stripe.ts'

const typesOf = ({ received }: TestStripe) => received.map(({ body }) => (JSON.parse(body) as Stripe.Event).type)

/** Waits until a condition holds, for a second at most. */
async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds(); waited += 10) {
    if (waited > 1000) throw new Error('it did not come to pass')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

test('every event arrives once, in order, with a signature that Stripe’s own client accepts', async () => {
  const stripe = await startTestStripe()
  await subscriber(stripe)
  await stripe.webhooks.idle()
  const kept = await stripe.client.events.list({ limit: 100 })
  const catalog = new Set(['product.created', 'price.created'])
  const expected = kept.data.map(({ type }) => type).filter((type) => !catalog.has(type))
  expect(typesOf(stripe)).toEqual(expected.reverse())
  expect(expected).toContain('customer.subscription.created')
  for (const { body, signature } of stripe.received) {
    const event = stripe.client.webhooks.constructEvent(body, signature, webhookSecret)
    expect(await stripe.client.events.retrieve(event.id)).toMatchObject({ type: event.type, created: event.created })
    expect(() => stripe.client.webhooks.constructEvent(body, signature, 'whsec_another')).toThrow()
    expect(() => stripe.client.webhooks.constructEvent(`${body} `, signature, webhookSecret)).toThrow()
  }
})

test('however far time was moved, the signature is of today', async () => {
  const stripe = await startTestStripe()
  await subscriber(stripe)
  await stripe.control('POST', 'advance', { days: 400 })
  await stripe.webhooks.idle()
  const { body, signature } = stripe.received.at(-1) ?? { body: '', signature: '' }
  expect(stripe.client.webhooks.constructEvent(body, signature, webhookSecret).created).toBeGreaterThan(
    (await stripe.client.customers.list()).data[0]?.created ?? Infinity,
  )
})

test('an update has the previous values of changed fields, and the object at that time', async () => {
  const stripe = await startTestStripe()
  const { subscription } = await subscriber(stripe)
  await stripe.client.subscriptions.update(subscription, { cancel_at_period_end: true, metadata: { a: '1' } })
  await stripe.client.subscriptions.update(subscription, { metadata: { a: '2', b: '3' } })
  const { data } = await stripe.client.events.list({ types: ['customer.subscription.updated'] })
  expect(data[0]?.data).toMatchObject({ object: { metadata: { a: '2', b: '3' } } })
  expect(data[0]?.data.previous_attributes).toEqual({ metadata: { a: '1', b: null } })
  expect(data[1]?.data).toMatchObject({
    object: { cancel_at_period_end: true, metadata: { a: '1' } },
    previous_attributes: { cancel_at_period_end: false, cancel_at: null },
  })
})

test('an update that changes nothing makes no event', async () => {
  const stripe = await startTestStripe()
  const { customer } = await subscriber(stripe)
  const before = (await stripe.client.events.list({ limit: 100 })).data.length
  await stripe.client.customers.update(customer, { name: 'Acme' })
  expect((await stripe.client.events.list({ limit: 100 })).data).toHaveLength(before)
})

test('a failed event is retried and does not delay later events', async () => {
  // The retry comes long after the second event, on a busy machine too.
  const stripe = await startTestStripe({ webhookRetryAfterMs: [1000, 10] })
  stripe.webhookAnswers.push(500, 500)
  await stripe.client.customers.create({ name: 'First' })
  await stripe.client.customers.create({ name: 'Second' })
  await until(() => stripe.received.length === 4)
  const names = stripe.received.map(({ body }) => JSON.parse(body).data.object.name)
  expect(names.slice(0, 2)).toEqual(['First', 'Second'])
  expect(names.slice(2)).toEqual(expect.arrayContaining(['First', 'Second']))
  const { body } = await stripe.control('GET', 'webhooks')
  expect(body).toMatchObject({
    deliveries: [{ delivered: true }, { delivered: true, attempts: [{ status: 500 }, { status: 200 }] }],
  })
  const taken = await stripe.client.events.list({ delivery_success: true })
  expect(taken.data.map(({ type }) => type)).toEqual(['customer.created', 'customer.created'])
})

test('it gives up after a few tries; the event stays in the list, and can be sent again', async () => {
  const stripe = await startTestStripe()
  stripe.webhookAnswers.push(500, 500, 500)
  await stripe.client.customers.create({ name: 'No receiver' })
  await until(() => stripe.received.length === 3)
  await new Promise((resolve) => setTimeout(resolve, 60))
  expect(stripe.received).toHaveLength(3)
  const { data } = await stripe.client.events.list({ type: 'customer.created' })
  expect(data[0]?.pending_webhooks).toBe(1)
  await stripe.control('POST', 'resend', { event: data[0]?.id })
  await until(() => stripe.received.length === 4)
})

test('while delivery is paused all else continues; after it resumes the events arrive in order', async () => {
  const stripe = await startTestStripe()
  await stripe.control('POST', 'webhooks', { paused: true })
  await subscriber(stripe)
  await stripe.webhooks.idle()
  expect(stripe.received).toEqual([])
  await stripe.control('POST', 'webhooks', { paused: false })
  await stripe.webhooks.idle()
  expect(typesOf(stripe)[0]).toBe('customer.created')
  expect(typesOf(stripe).at(-1)).toBe('customer.subscription.updated')
})

test('a receiver that never answers does not delay the API', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const stripe = await startTestStripe({ webhookUrl: `http://127.0.0.1:${port}` })
  const started = performance.now()
  for (let made = 0; made < 5; made += 1) await stripe.client.customers.create()
  expect(performance.now() - started).toBeLessThan(1000)
  await stripe.close()
  silent.close()
})
