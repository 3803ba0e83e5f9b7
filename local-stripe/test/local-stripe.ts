/** A local Stripe for tests, with Stripe's client and an endpoint that receives its webhooks. */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Stripe from 'stripe'
import { afterAll } from 'vitest'
import { createStripe, type LocalStripe, type StripeOptions } from '../src/index.ts'

export interface Received {
  body: string
  signature: string
}

export interface TestStripe extends LocalStripe {
  url: string
  client: Stripe
  /** A client without retries, so that tests see each error. */
  strict: Stripe
  /** Deliveries at the webhook endpoint. */
  received: Received[]
  /** The next statuses of the webhook endpoint; 200 when the list is empty. */
  webhookAnswers: number[]
  control(method: string, name: string, body?: object): Promise<{ status: number; body: Record<string, unknown> }>
}

export const webhookSecret = 'whsec_of_a_test'

/** Start time of tests: the last day of a long month. */
export const beginning = Date.UTC(2026, 0, 31, 12)

/** Starts a local Stripe that ends with the test file. Its clock stands still unless a test moves it. */
export async function startTestStripe(options: Partial<StripeOptions> = {}): Promise<TestStripe> {
  let handle: RequestListener = () => {}
  const received: Received[] = []
  const webhookAnswers: number[] = []
  const [url, server] = await listen((request, response) => handle(request, response))
  const [webhookUrl, endpoint] = await listen((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      received.push({ body, signature: String(request.headers['stripe-signature']) })
      response.writeHead(webhookAnswers.shift() ?? 200).end()
    })
  })
  const stripe = createStripe({
    url,
    webhookUrl,
    webhookSecret,
    now: () => beginning,
    seed: 'test',
    webhookRetryAfterMs: [10, 10],
    ...options,
  })
  handle = (request, response) => void stripe.handle(request, response)
  afterAll(async () => {
    await stripe.close()
    for (const each of [server, endpoint]) {
      each.close()
      each.closeAllConnections()
    }
  })
  const control: TestStripe['control'] = async (method, name, body) => {
    const response = await fetch(`${url}/local/stripe/${name}`, {
      method,
      ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const client = clientOf(url)
  return { ...stripe, url, client, strict: clientOf(url, 0), received, webhookAnswers, control }
}

/** Stripe's client with the service's settings, except retries and key. */
export function clientOf(url: string, maxNetworkRetries = 2, key = 'sk_test_of_a_test'): Stripe {
  const { hostname: host, port } = new URL(url)
  return new Stripe(key, { host, port, protocol: 'http', maxNetworkRetries, telemetry: false, timeout: 2000 })
}

async function listen(listener: RequestListener): Promise<[string, Server]> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return [`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server]
}

/** The id of the price with a lookup key. */
export async function priceOf({ client }: TestStripe, lookupKey: string): Promise<string> {
  const { data } = await client.prices.list({ lookup_keys: [lookupKey] })
  const [price] = data
  if (!price) throw new Error(`there is no price ${lookupKey}`)
  return price.id
}

export const monthly = 'octomil_team_monthly'
export const annual = 'octomil_team_annual'

/** A customer with one of Stripe's named test cards as default. */
export async function customerWithCard({ client }: TestStripe, card = 'pm_card_visa'): Promise<string> {
  const { id } = await client.customers.create({ email: 'owner@acme.example', name: 'Acme' })
  const { id: method } = await client.paymentMethods.attach(card, { customer: id })
  await client.customers.update(id, { invoice_settings: { default_payment_method: method } })
  return id
}

/** A customer with a monthly Team subscription. */
export async function subscriber(
  stripe: TestStripe,
  more: Partial<Stripe.SubscriptionCreateParams> = {},
): Promise<{ customer: string; subscription: string }> {
  const customer = await customerWithCard(stripe)
  const items = [{ price: await priceOf(stripe, monthly) }]
  const { id } = await stripe.client.subscriptions.create({ customer, items, ...more })
  return { customer, subscription: id }
}

/** The error that Stripe's client throws. */
export async function refusalOf(call: Promise<unknown>): Promise<Stripe.errors.StripeError> {
  try {
    await call
  } catch (error) {
    if (error instanceof Stripe.errors.StripeError) return error
    throw error
  }
  throw new Error('the call was not refused')
}

/** Submits the form of a hosted page without following the redirect. */
export const sendForm = (url: string, fields: Record<string, string>): Promise<Response> =>
  fetch(url, { method: 'POST', redirect: 'manual', body: new URLSearchParams(fields) })

export const goodCard = { number: '4242 4242 4242 4242', expiry: '12 / 34', cvc: '123' }

/** Types of the events there are, oldest first, without those of the catalog. */
export async function eventTypes({ client }: TestStripe, params: Stripe.EventListParams = {}): Promise<string[]> {
  const events = await client.events.list({ limit: 100, ...params })
  return events.data
    .map(({ type }) => String(type))
    .filter((type) => !/^(product|price)\./.test(type))
    .reverse()
}
