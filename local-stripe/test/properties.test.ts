/** After any sequence of actions by customers, cards and time, the local Stripe's state is one that Stripe could have. */
import fc from 'fast-check'
import type Stripe from 'stripe'
import { expect, test } from 'vitest'
import { ApiError } from '../src/model/api-error.ts'
import { completeSession } from '../src/model/checkout.ts'
import { setCardsFail } from '../src/model/customers.ts'
import { createStripeEngine, type StripeEngine } from '../src/model/engine.ts'
import type { Event, Invoice, Subscription } from '../src/model/objects.ts'
import { beginning } from './local-stripe.ts'

const pick = fc.nat(5)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('advance'), days: fc.double({ min: 0.01, max: 45, noNaN: true }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('customer') }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('checkout'),
      pick,
      price: pick,
      quantity: fc.integer({ min: 1, max: 4 }),
      trial: fc.nat(1),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('pay'),
      pick,
      card: fc.constantFrom('4242424242424242', '4000000000000002', '4000000000000341', '4000002500003155'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('subscribe'), pick, price: pick, trial: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cards'), pick, fail: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('change'),
      pick,
      price: pick,
      quantity: fc.integer({ min: 1, max: 4 }),
      now: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('cancel'), pick, how: fc.constantFrom('now', 'end', 'date', 'not') }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trial'), pick, days: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause'), pick, on: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('settle'), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete'), pick }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('policy'), policy: fc.constantFrom('cancel', 'unpaid', 'past_due') }),
  },
)

interface Step extends Partial<Record<'pick' | 'price' | 'quantity' | 'trial' | 'days', number>> {
  do: string
  card?: string
  fail?: boolean
  now?: boolean
  on?: boolean
  how?: string
  policy?: 'cancel' | 'unpaid' | 'past_due'
}

/** Does one step; that Stripe refuses it is as good an outcome. */
function perform(engine: StripeEngine, given: Step): void {
  const { store, request } = engine
  const nth = <T>(all: readonly T[]): T | undefined => all[(given.pick ?? 0) % Math.max(1, all.length)]
  const customer = nth(store.all('customer'))?.id ?? 'cus_none'
  const subscription = nth(store.all('subscription'))
  const path = `/v1/subscriptions/${subscription?.id}`
  const prices = store.all('price')
  const price = prices[(given.price ?? 0) % prices.length]?.id
  const trial = given.trial ? { trial_period_days: 5 } : {}
  const actions: Record<string, () => unknown> = {
    advance: () => engine.advance({ days: given.days ?? 1 }),
    customer: () => {
      const { id } = request('POST', '/v1/customers', { name: 'Acme' }) as { id: string }
      const card = request('POST', '/v1/payment_methods/pm_card_visa/attach', { customer: id }) as { id: string }
      request('POST', `/v1/customers/${id}`, { invoice_settings: { default_payment_method: card.id } })
    },
    checkout: () =>
      request('POST', '/v1/checkout/sessions', {
        mode: 'subscription',
        customer,
        line_items: [{ price, quantity: given.quantity }],
        success_url: 'https://app.example/',
        subscription_data: trial,
      }),
    pay: () => {
      const session = nth(store.all('checkout.session'))?.id ?? 'cs_none'
      const card = { number: given.card ?? '', expMonth: 12, expYear: 2060 }
      store.atomically(() => completeSession(store, session, { email: 'a@b.example', name: null, ...card }))
    },
    subscribe: () => request('POST', '/v1/subscriptions', { customer, items: [{ price }], ...trial }),
    cards: () => store.atomically(() => setCardsFail(store, customer, given.fail ?? false)),
    change: () =>
      request('POST', path, {
        items: [{ id: subscription?.items.data[0]?.id, price, quantity: given.quantity }],
        proration_behavior: given.now ? 'always_invoice' : 'create_prorations',
      }),
    cancel: () => {
      if (given.how === 'now') return request('DELETE', path)
      if (given.how === 'date') return request('POST', path, { cancel_at: store.now() + 10 * 86_400 })
      return request('POST', path, { cancel_at_period_end: given.how === 'end' })
    },
    trial: () => request('POST', path, { trial_end: given.days ? store.now() + given.days * 86_400 : 'now' }),
    pause: () => request('POST', `${path}/${given.on ? 'pause' : 'resume'}`),
    settle: () =>
      request('POST', `/v1/invoices/${nth(store.all('invoice').filter(({ status }) => status === 'open'))?.id}/pay`),
    delete: () => request('DELETE', `/v1/customers/${customer}`),
    policy: () => {
      store.settings = { afterRetries: given.policy ?? 'cancel' }
    },
  }
  try {
    actions[given.do]?.()
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
  }
}

const legal: Record<string, readonly string[]> = {
  incomplete: ['active', 'incomplete_expired', 'canceled'],
  trialing: ['active', 'paused', 'canceled'],
  active: ['past_due', 'trialing', 'paused', 'canceled'],
  past_due: ['active', 'unpaid', 'canceled'],
  unpaid: ['active', 'canceled'],
  paused: ['active', 'canceled'],
}

/** Everything that was ever emitted, with how it looked then. */
function watch(engine: StripeEngine): { event: Event; asMade: string }[] {
  const seen: { event: Event; asMade: string }[] = []
  engine.onEvent((event) => seen.push({ event, asMade: JSON.stringify(event.data) }))
  return seen
}

/** The changes of status that any run has come across: a test that never met them would show nothing. */
const met = new Set<string>()

function checkEvents(seen: ReturnType<typeof watch>): void {
  const statuses = new Map<string, string>()
  let [last, ids] = [0, new Set<string>()]
  for (const { event, asMade } of seen) {
    expect(event.created).toBeGreaterThanOrEqual(last)
    last = event.created
    ids = ids.add(event.id)
    expect(JSON.stringify(event.data)).toBe(asMade)
    if (!event.type.startsWith('customer.subscription.')) continue
    const { id, status } = event.data.object as Stripe.Subscription
    const before = statuses.get(id)
    if (before && before !== status) {
      expect(legal[before] ?? []).toContain(status)
      met.add(`${before} > ${status}`)
    }
    statuses.set(id, status)
  }
  expect(ids.size).toBe(seen.length)
}

/** The latest event of each object has its current state. */
function checkLastShown(engine: StripeEngine, seen: ReturnType<typeof watch>): void {
  const shown = new Map(seen.map(({ event }) => [(event.data.object as { id: string }).id, event.data.object]))
  for (const each of [...engine.store.all('subscription'), ...engine.store.all('invoice')]) {
    expect(shown.get(each.id)).toEqual(each)
  }
}

function checkSubscription(engine: StripeEngine, subscription: Subscription, invoices: readonly Invoice[]): void {
  const { status, items, latest_invoice, cancel_at } = subscription
  const [item] = items.data
  const goesOn = ['active', 'past_due', 'unpaid', 'trialing'].includes(status)
  if (goesOn) expect(item?.current_period_end).toBeGreaterThan(engine.store.now())
  if (goesOn && cancel_at !== null) expect(cancel_at).toBeGreaterThan(engine.store.now())
  expect(invoices.map(({ id }) => id)).toContain(latest_invoice)
  const cycles = invoices.filter(({ billing_reason }) => billing_reason === 'subscription_cycle')
  const periods = cycles.map(({ lines }) => lines.data.at(-1)?.period.start)
  expect(new Set(periods).size).toBe(periods.length)
  if (goesOn || status === 'paused' || status === 'incomplete') return
  expect(invoices.filter(({ next_payment_attempt }) => next_payment_attempt !== null)).toEqual([])
}

function checkInvoice(invoice: Invoice): void {
  const { amount_due, amount_paid, amount_remaining, status, lines, total, number } = invoice
  expect(amount_due).toBe(amount_paid + amount_remaining)
  expect(total).toBe(lines.data.reduce((sum, { amount }) => sum + amount, 0))
  expect(number === null).toBe(status === 'draft')
  if (status === 'paid') expect(amount_remaining).toBe(0)
}

test('any sequence of operations keeps states legal, periods invoiced once, and events correct', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const engine = createStripeEngine({ now: () => beginning })
      const seen = watch(engine)
      for (const each of [{ do: 'customer' }, { do: 'customer' }, ...steps]) perform(engine, each)
      const { store } = engine
      const invoicesOf = (id: string) =>
        store.all('invoice').filter(({ parent }) => parent?.subscription_details?.subscription === id)
      checkEvents(seen)
      checkLastShown(engine, seen)
      for (const subscription of store.all('subscription'))
        checkSubscription(engine, subscription, invoicesOf(subscription.id))
      for (const invoice of store.all('invoice')) checkInvoice(invoice)
      for (const { balance } of store.all('customer')) expect(balance).toBeLessThanOrEqual(0)
    }),
    { numRuns: 1000 },
  )
  const all = Object.entries(legal).flatMap(([from, to]) => to.map((status) => `${from} > ${status}`))
  expect(all.filter((change) => !met.has(change)).length).toBeLessThan(all.length / 4)
})

test('the same seed and requests give the same ids, another seed others', () => {
  const run = (seed: string) => {
    const engine = createStripeEngine({ seed, now: () => beginning })
    perform(engine, { do: 'customer' })
    perform(engine, { do: 'subscribe' })
    engine.advance({ days: 40 })
    return engine.store.save()
  }
  expect(run('a')).toEqual(run('a'))
  expect(run('a').collections.customer).not.toEqual(run('b').collections.customer)
})
