/** The hosted pages as a browser uses them: forms and redirects, on this machine only. */
import type Stripe from 'stripe'
import { describe, expect, test } from 'vitest'
import {
  annual,
  customerWithCard,
  eventTypes,
  goodCard,
  monthly,
  priceOf,
  refusalOf,
  sendForm,
  startTestStripe,
  subscriber,
} from './local-stripe.ts'

const stripe = await startTestStripe()
const { client } = stripe

const textOf = async (url: string): Promise<string> => (await fetch(url)).text()

async function openCheckout(
  more: Partial<Stripe.Checkout.SessionCreateParams> = {},
): Promise<{ id: string; url: string }> {
  const { id, url } = await client.checkout.sessions.create({
    mode: 'subscription',
    line_items: [{ price: await priceOf(stripe, monthly), quantity: 2 }],
    success_url: 'https://app.example/done?id={CHECKOUT_SESSION_ID}',
    cancel_url: 'https://app.example/back?a=1&b=2',
    customer_email: 'owner@acme.example',
    ...more,
  })
  return { id, url: url ?? '' }
}

async function openPortal(): Promise<{ url: string; customer: string; subscription: string }> {
  const { customer, subscription } = await subscriber(stripe)
  const { url } = await client.billingPortal.sessions.create({ customer, return_url: 'https://app.example/billing' })
  return { url, customer, subscription }
}

describe('every page', () => {
  test('says that it is not real, loads nothing from other hosts, and runs no script', async () => {
    const { url: portal, customer } = await openPortal()
    const { data } = await client.invoices.list({ customer })
    const pages = [(await openCheckout()).url, portal, data[0]?.hosted_invoice_url ?? '', `${stripe.url}/local/stripe`]
    for (const page of pages) {
      const response = await fetch(page)
      const markup = await response.text()
      expect(response.status).toBe(200)
      expect(markup).toContain('no real money')
      expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(markup).not.toContain('<script')
      for (const [, address = ''] of markup.matchAll(/(?:src|href)="([^"]*)"/g)) {
        expect(address).toMatch(/^(?:\/local\/|data:|https:\/\/app\.example\/|http:\/\/127\.0\.0\.1:)/)
      }
      // Every field that a person fills in has a label.
      for (const [, id] of markup.matchAll(/<input id="([^"]+)"/g)) expect(markup).toContain(`<label for="${id}">`)
    }
    expect((await fetch(`${stripe.url}/local/stripe/style.css`)).headers.get('content-type')).toContain('text/css')
  })

  test('escapes the input of people', async () => {
    const { id: customer } = await client.customers.create({ name: '<b onclick="x">&', email: 'a@b.example' })
    const { url } = await client.billingPortal.sessions.create({ customer })
    const markup = await textOf(url)
    expect(markup).toContain('&#60;b onclick=&#34;x&#34;&#62;&#38;')
    expect(markup).not.toContain('<b onclick')
  })

  test('refuses the form of another site', async () => {
    const { url } = await openCheckout()
    const body = new URLSearchParams(goodCard)
    const foreign = await fetch(url, {
      method: 'POST',
      body,
      redirect: 'manual',
      headers: { origin: 'https://evil.example' },
    })
    expect(foreign.status).toBe(404)
    expect(
      (await fetch(url, { method: 'POST', body, redirect: 'manual', headers: { origin: stripe.url } })).status,
    ).toBe(303)
  })

  test('that does not exist is 404', async () => {
    for (const path of ['checkout/cs_none', 'portal/bps_none', 'invoice/in_none', 'nowhere']) {
      expect((await fetch(`${stripe.url}/local/stripe/${path}`)).status).toBe(404)
    }
  })
})

describe('the checkout page', () => {
  test('shows product, amount and interval', async () => {
    const markup = await textOf((await openCheckout()).url)
    for (const text of ['Octomil Team', '$2,400.00', 'Quantity 2', 'per month', 'owner@acme.example']) {
      expect(markup).toContain(text)
    }
    expect(markup).toContain('href="https://app.example/back?a=1&#38;b=2"')
  })

  test('a declined card leaves the session open for another', async () => {
    const { id, url } = await openCheckout()
    const declined = await sendForm(url, { ...goodCard, number: '4000 0000 0000 0002' })
    expect(declined.status).toBe(402)
    expect(await declined.text()).toContain('role="alert">Your card was declined.')
    expect(await client.checkout.sessions.retrieve(id)).toMatchObject({ status: 'open', customer: null })
    const paid = await sendForm(url, goodCard)
    expect([paid.status, paid.headers.get('location')]).toEqual([303, `https://app.example/done?id=${id}`])
  })

  test('after a refusal everything that was typed is still there, but the number and the code', async () => {
    const line_items = [{ price: await priceOf(stripe, monthly), quantity: 1 }]
    const success_url = 'https://app.example/done'
    const { url } = await client.checkout.sessions.create({ mode: 'subscription', line_items, success_url })
    const typed = { ...goodCard, email: 'buyer@acme.example', name: 'Ada <Acme>', expiry: '11 / 39' }
    const refused = await sendForm(url ?? '', { ...typed, number: '4000 0000 0000 0002', cvc: '987' })
    const markup = await refused.text()
    for (const kept of ['buyer@acme.example', 'Ada &#60;Acme&#62;', '11 / 39'])
      expect(markup).toContain(`value="${kept}"`)
    expect(markup).not.toMatch(/value="(?:4000|987)/)
  })

  test.each([
    [{ number: '4111 1111 1111 1111' }, 'not one of'],
    [{ expiry: '13 / 30' }, 'incomplete'],
    [{ expiry: '01 / 20' }, 'in the past'],
    [{ cvc: '1' }, 'security code'],
  ])('shows an error for %o', async (fields, message) => {
    const answer = await sendForm((await openCheckout()).url, { ...goodCard, ...fields })
    expect(await answer.text()).toContain(message)
  })

  test('once paid it cannot be paid again, and leads on', async () => {
    const { id, url } = await openCheckout()
    await sendForm(url, goodCard)
    const again = await sendForm(url, goodCard)
    expect(again.status).toBe(200)
    expect(await again.text()).toContain(`https://app.example/done?id=${id}`)
    const { customer } = await client.checkout.sessions.retrieve(id)
    expect((await client.subscriptions.list({ customer: String(customer) })).data).toHaveLength(1)
  })
})

describe('the portal', () => {
  test('shows plan, card and invoices, and the way back', async () => {
    const { url } = await openPortal()
    const markup = await textOf(url)
    for (const text of [
      'Octomil Team',
      '$1,200.00',
      'Visa ending in 4242',
      '-0001',
      'Return to app.example',
      'Renews on',
    ])
      expect(markup).toContain(text)
  })

  test('cancels at the period’s end as Stripe’s does, with a date and without the flag, and undoes it', async () => {
    const { url, subscription } = await openPortal()
    const before = await client.subscriptions.retrieve(subscription)
    expect((await sendForm(url, { action: 'cancel', subscription })).status).toBe(303)
    expect(await client.subscriptions.retrieve(subscription)).toMatchObject({
      status: 'active',
      cancel_at: before.items.data[0]?.current_period_end,
      cancel_at_period_end: false,
    })
    expect(await textOf(url)).toContain('Don’t cancel plan')
    await sendForm(url, { action: 'renew', subscription })
    expect((await client.subscriptions.retrieve(subscription)).cancel_at).toBeNull()
  })

  test('changes interval and quantity, paid immediately', async () => {
    const { url, subscription, customer } = await openPortal()
    const price = await priceOf(stripe, annual)
    await sendForm(url, { action: 'change', subscription, price, quantity: '2' })
    const { items } = await client.subscriptions.retrieve(subscription)
    expect(items.data[0]).toMatchObject({ price: { id: price }, quantity: 2 })
    const { data } = await client.invoices.list({ customer, limit: 1 })
    expect(data[0]).toMatchObject({ status: 'paid', billing_reason: 'subscription_update' })
  })

  test('a change that the card will not pay for does not happen', async () => {
    const { url, subscription, customer } = await openPortal()
    await stripe.control('POST', 'card', { customer, fails: true })
    const price = await priceOf(stripe, annual)
    const answer = await sendForm(url, { action: 'change', subscription, price, quantity: '1' })
    expect(answer.status).toBe(402)
    expect((await client.subscriptions.retrieve(subscription)).items.data[0]?.price.lookup_key).toBe(monthly)
  })

  test('changes the card, with which an open invoice can be paid', async () => {
    const { url, subscription, customer } = await openPortal()
    await sendForm(url, { action: 'card', ...goodCard, number: '4000 0000 0000 0341' })
    await client.subscriptions.update(subscription, {
      billing_cycle_anchor: { type: 'now' },
      proration_behavior: 'none',
    })
    expect((await client.subscriptions.retrieve(subscription)).status).toBe('past_due')
    const { data } = await client.invoices.list({ customer, status: 'open' })
    const invoice = data[0]?.id ?? ''
    expect((await sendForm(url, { action: 'pay', invoice })).status).toBe(402)
    await sendForm(url, { action: 'card', ...goodCard, number: '5555 5555 5555 4444' })
    expect(await textOf(url)).toContain('Mastercard ending in 4444')
    expect((await sendForm(url, { action: 'pay', invoice })).status).toBe(303)
    expect((await client.subscriptions.retrieve(subscription)).status).toBe('active')
  })

  test('refuses objects of another customer', async () => {
    const { url } = await openPortal()
    const other = await openPortal()
    await sendForm(url, { action: 'cancel', subscription: other.subscription })
    expect((await client.subscriptions.retrieve(other.subscription)).cancel_at).toBeNull()
  })
})

test('an invoice opens as a page and as a PDF, and an open one can be paid there', async () => {
  const customer = await customerWithCard(stripe)
  await stripe.control('POST', 'card', { customer, fails: true })
  const items = [{ price: await priceOf(stripe, monthly) }]
  const { latest_invoice } = await client.subscriptions.create({ customer, items })
  const { hosted_invoice_url: url, invoice_pdf: pdf } = await client.invoices.retrieve(String(latest_invoice))
  expect(await textOf(url ?? '')).toContain('Pay $1,200.00')
  expect((await textOf(pdf ?? '')).startsWith('%PDF-1.4')).toBe(true)
  expect((await sendForm(url ?? '', {})).status).toBe(402)
  await stripe.control('POST', 'card', { customer, fails: false })
  expect((await sendForm(url ?? '', {})).status).toBe(303)
  expect(await client.invoices.retrieve(String(latest_invoice))).toMatchObject({ status: 'paid' })
})

describe('a card that needs 3-D Secure', () => {
  const number = '4000 0025 0000 3155'
  const session = async () =>
    client.checkout.sessions.create({
      mode: 'subscription',
      line_items: [{ price: await priceOf(stripe, monthly), quantity: 1 }],
      success_url: 'https://app.example/done',
      customer_email: 'secure@acme.example',
    })

  test('buys nothing at checkout until the customer confirms, and then as any other', async () => {
    const { id, url } = await session()
    const asked = await sendForm(url ?? '', { ...goodCard, number })
    expect([asked.status, await asked.text()]).toEqual([200, expect.stringContaining('Complete authentication')])
    expect(await client.checkout.sessions.retrieve(id)).toMatchObject({ status: 'open', subscription: null })
    const failed = await sendForm(url ?? '', { ...goodCard, number, confirmation: 'fail' })
    expect([failed.status, await failed.text()]).toEqual([402, expect.stringContaining('unable to authenticate')])
    expect((await sendForm(url ?? '', { ...goodCard, number, confirmation: 'complete' })).status).toBe(303)
    const { subscription } = await client.checkout.sessions.retrieve(id)
    expect((await client.subscriptions.retrieve(String(subscription))).status).toBe('active')
  })

  test('leaves a first payment incomplete until it is confirmed on the page of its invoice', async () => {
    const customer = await customerWithCard(stripe, 'pm_card_authenticationRequiredOnSetup')
    const items = [{ price: await priceOf(stripe, monthly) }]
    const { id, status, latest_invoice } = await client.subscriptions.create({ customer, items })
    const invoice = String(latest_invoice)
    expect(status).toBe('incomplete')
    expect(await eventTypes(stripe, { type: 'invoice.payment_action_required' })).toHaveLength(1)
    expect(await refusalOf(client.invoices.pay(invoice))).toMatchObject({
      statusCode: 402,
      code: 'invoice_payment_intent_requires_action',
    })
    const url = (await client.invoices.retrieve(invoice)).hosted_invoice_url ?? ''
    expect(await (await sendForm(url, {})).text()).toContain('Complete authentication')
    expect((await sendForm(url, { confirmation: 'fail' })).status).toBe(402)
    expect((await sendForm(url, { confirmation: 'complete' })).status).toBe(303)
    expect((await client.subscriptions.retrieve(id)).status).toBe('active')
  })

  test('must be confirmed in the portal too', async () => {
    const { subscription } = await subscriber(stripe)
    const { customer } = await client.subscriptions.retrieve(subscription)
    const { url } = await client.billingPortal.sessions.create({ customer: String(customer) })
    expect(await (await sendForm(url, { action: 'card', ...goodCard, number })).text()).toContain('name="action"')
    await sendForm(url, { action: 'card', ...goodCard, number, confirmation: 'complete' })
    expect(await textOf(url)).toContain('Visa ending in 3155')
  })
})

test('a card without funds is refused with that reason, by form and by API', async () => {
  const { url } = await client.checkout.sessions.create({
    mode: 'subscription',
    line_items: [{ price: await priceOf(stripe, monthly), quantity: 1 }],
    success_url: 'https://app.example/done',
    customer_email: 'poor@acme.example',
  })
  const answer = await sendForm(url ?? '', { ...goodCard, number: '4000 0000 0000 9995' })
  expect([answer.status, await answer.text()]).toEqual([402, expect.stringContaining('insufficient funds')])
  const { id: customer } = await client.customers.create({ email: 'poor@acme.example' })
  expect(
    await refusalOf(client.paymentMethods.attach('pm_card_chargeDeclinedInsufficientFunds', { customer })),
  ).toMatchObject({ statusCode: 402, code: 'card_declined', decline_code: 'insufficient_funds' })
})

test('the overview moves the clock and makes cards fail', async () => {
  const own = await startTestStripe()
  const { customer } = await subscriber(own)
  const overview = `${own.url}/local/stripe`
  expect(await textOf(overview)).toContain(customer)
  await sendForm(overview, { customer, fails: 'true' })
  await sendForm(overview, { days: '31' })
  const { data } = await own.client.subscriptions.list({ customer })
  expect(data[0]?.status).toBe('past_due')
  expect(await textOf(overview)).toContain('2026-03-03 12:00 UTC')
})

test('without a dashboard, people return to a page that names the next API call', async () => {
  const markup = await textOf(`${stripe.url}/settings/billing?checkout=success&session_id=cs_test_1`)
  expect(markup).toContain('cs_test_1')
  expect(markup).toContain('/billing/checkout/reconcile')
})

test.each([
  ['?checkout=cancelled', 'Nothing was bought.'],
  ['', 'You are back from the billing portal. GET /api/v2/settings/billing shows the changes.'],
])('/settings/billing%s explains its query', async (query, text) => {
  expect(await textOf(`${stripe.url}/settings/billing${query}`)).toContain(text)
})
