/** From Stripe's subscriptions to ours: every one is read, and its price is known by key, price or product. */
import { randomUUID } from 'node:crypto'
import type Stripe from 'stripe'
import { expect, test } from 'vitest'
import { readSubscriptions } from '../../../shared/billing/subscriptions.ts'

interface Item {
  id?: string
  lookup_key?: string | null
  price?: Record<string, string>
  product?: Record<string, string> | 'deleted'
  recurring?: { interval: string; interval_count: number } | null
}

/** A Stripe that lists one subscription with these items. */
function stripeWith(items: Item[], overrides: Record<string, unknown> = {}) {
  const retrieved: string[] = []
  // What a price was known to give is remembered: each Stripe has prices of its own.
  const made = randomUUID()
  const data = items.map(
    ({ id = 'si_1', lookup_key = null, price = {}, recurring = { interval: 'month', interval_count: 1 } }, index) => ({
      id,
      quantity: index + 1,
      current_period_start: 1_767_225_600,
      current_period_end: 1_769_904_000,
      price: {
        id: `price_${index}_${made}`,
        lookup_key,
        metadata: price,
        unit_amount: 5,
        currency: 'usd',
        product: `prod_${index}`,
        recurring,
      },
    }),
  )
  const subscription = {
    id: 'sub_1',
    status: 'active',
    created: 1_767_225_600,
    cancel_at_period_end: false,
    items: { data },
    ...overrides,
  }
  const client = {
    subscriptions: { list: () => ({ autoPagingToArray: async () => [subscription] }) },
    products: {
      retrieve: async (id: string) => {
        retrieved.push(id)
        const product = items[Number(id.split('_')[1])]?.product
        return product === 'deleted' ? { id, deleted: true } : { id, metadata: product ?? {} }
      },
    },
  }
  // Nothing else of it is called.
  const callStripe = <T>(calls: (stripe: Stripe) => Promise<T>) => calls(client as unknown as Stripe)
  return { retrieved, read: async () => (await readSubscriptions('cus_1', { callStripe }))[0] }
}

test.each([
  ['its lookup key', { lookup_key: 'octomil_team_annual' }, 'team'],
  [
    'its lookup key, whatever its metadata says',
    { lookup_key: 'octomil_team_monthly', price: { octomil_plan: 'enterprise' } },
    'team',
  ],
  ['its metadata', { price: { octomil_plan: 'enterprise' } }, 'enterprise'],
  ['the metadata of its product', { lookup_key: 'legacy', product: { octomil_plan: 'team' } }, 'team'],
  ['nothing', { product: {} }, null],
  ['a product that is gone', { product: 'deleted' as const }, null],
  ['a plan that there is not', { lookup_key: 'octomil_gold_monthly' }, null],
  ['metadata that names no plan', { price: { octomil_plan: 'gold' } }, null],
])('a price is known by %s', async (_how, item, plan) => {
  expect((await stripeWith([item]).read())?.plan).toBe(plan)
})

test('the product is requested only if the price does not identify the plan', async () => {
  const known = stripeWith([{ lookup_key: 'octomil_team_monthly' }])
  await known.read()
  expect(known.retrieved).toEqual([])
})

test('of several items, the one with the highest plan decides, in any order', async () => {
  const items: Item[] = [
    { id: 'si_a' },
    { id: 'si_b', lookup_key: 'octomil_team_monthly' },
    { id: 'si_c', price: { octomil_plan: 'enterprise' } },
  ]
  expect(await stripeWith(items).read()).toMatchObject({
    plan: 'enterprise',
    price: { id: expect.stringMatching(/^price_2/) },
    quantity: 3,
  })
  expect(await stripeWith(items.toReversed()).read()).toMatchObject({
    plan: 'enterprise',
    price: { id: expect.stringMatching(/^price_0/) },
    quantity: 1,
  })
})

test.each([
  [{ interval: 'month', interval_count: 1 }, 'monthly'],
  [{ interval: 'year', interval_count: 1 }, 'annual'],
  [{ interval: 'month', interval_count: 3 }, null],
  [{ interval: 'week', interval_count: 1 }, null],
  [null, null],
])('%j is the interval %s', async (recurring, interval) => {
  expect((await stripeWith([{ recurring }]).read())?.interval).toBe(interval)
})

test('times are in ISO 8601, and absent ones are null', async () => {
  const state = await stripeWith([{}], { trial_end: 1_767_225_601, cancel_at: null }).read()
  expect(state).toMatchObject({
    created_at: '2026-01-01T00:00:00.000Z',
    current_period_end: '2026-02-01T00:00:00.000Z',
    trial_end: '2026-01-01T00:00:01.000Z',
    trial_start: null,
    cancel_at: null,
  })
})

test('a subscription without items, or of a status that this version does not know, gives nothing and is live', async () => {
  expect(await stripeWith([]).read()).toMatchObject({ plan: null, price: null, quantity: null, interval: null })
  expect(await stripeWith([{}], { status: 'hibernating' }).read()).toMatchObject({ status: 'paused' })
})

test.each([
  ['an item without a price', { price: undefined }],
  ['an item with neither price nor plan', { price: null, plan: null }],
])('%s gives no plan and does not stop the sync', async (_what, fields) => {
  const data = [{ id: 'si_1', quantity: 1, ...fields }]
  expect(await stripeWith([], { items: { data } }).read()).toMatchObject({ plan: null, price: null, quantity: 1 })
})

test('an item of an older API version shows the price of its plan', async () => {
  const plan = { id: 'plan_old', amount: 700, currency: 'usd', interval: 'year', interval_count: 1, product: null }
  const data = [{ id: 'si_1', quantity: 1, plan }]
  expect(await stripeWith([], { items: { data } }).read()).toMatchObject({
    plan: null,
    price: { id: 'plan_old', unit_amount: 700 },
    interval: 'annual',
  })
})

test('the product of an ended subscription is not requested', async () => {
  const over = stripeWith([{ product: { octomil_plan: 'team' } }], { status: 'canceled' })
  expect([(await over.read())?.plan, over.retrieved]).toEqual([null, []])
})
