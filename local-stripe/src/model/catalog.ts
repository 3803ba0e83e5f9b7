/** The catalog: products and their recurring prices. */
import Stripe from 'stripe'
import * as z from 'zod'
import { invalidRequest } from './api-error.ts'
import type { Price, Product } from './objects.ts'
import { clearable, flag, integerIn, listOf, mergeMetadata, metadata, oneOf, params, text } from './params.ts'
import type { Store } from './store.ts'

export const productCreate = params({
  name: text,
  id: text.optional(),
  active: flag.optional(),
  description: text.optional(),
  metadata: metadata.optional(),
})

export function createProduct(store: Store, given: z.output<typeof productCreate>): Product {
  const now = store.now()
  if (given.id && store.get('product', given.id)) {
    throw invalidRequest(`Product already exists.`, { code: 'resource_already_exists', param: 'id' })
  }
  const product = store.put('product', {
    id: given.id ?? store.id('prod_', 14),
    object: 'product',
    active: given.active ?? true,
    created: now,
    default_price: null,
    description: given.description ?? null,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata: mergeMetadata({}, given.metadata),
    name: given.name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: null,
    tax_code: null,
    tax_details: null,
    type: 'service',
    unit_label: null,
    updated: now,
    url: null,
  })
  store.emit('product.created', product)
  return product
}

export const productUpdate = params({
  name: text.optional(),
  active: flag.optional(),
  description: clearable.optional(),
  metadata: metadata.optional(),
})

export function updateProduct(store: Store, id: string, given: z.output<typeof productUpdate>): Product {
  const before = store.need('product', id)
  const after = store.change('product', id, {
    name: given.name ?? before.name,
    active: given.active ?? before.active,
    description: given.description === undefined ? before.description : given.description,
    metadata: mergeMetadata(before.metadata, given.metadata),
    updated: store.now(),
  })
  store.emit('product.updated', after, before)
  return after
}

export const priceCreate = params({
  currency: text,
  product: text.optional(),
  product_data: z
    .strictObject({ name: text, metadata: metadata.optional(), active: flag.optional(), id: text.optional() })
    .optional(),
  unit_amount: integerIn(0),
  recurring: z.strictObject({
    interval: oneOf('day', 'week', 'month', 'year'),
    interval_count: integerIn(1, 36).optional(),
  }),
  active: flag.optional(),
  lookup_key: text.optional(),
  transfer_lookup_key: flag.optional(),
  metadata: metadata.optional(),
  nickname: text.optional(),
})

export function createPrice(store: Store, given: z.output<typeof priceCreate>): Price {
  const product = productOfPrice(store, given)
  takeLookupKey(store, given.lookup_key, given.transfer_lookup_key)
  const price = store.put('price', {
    id: store.id('price_1'),
    object: 'price',
    active: given.active ?? true,
    billing_scheme: 'per_unit',
    created: store.now(),
    currency: given.currency.toLowerCase(),
    custom_unit_amount: null,
    livemode: false,
    lookup_key: given.lookup_key ?? null,
    metadata: mergeMetadata({}, given.metadata),
    nickname: given.nickname ?? null,
    product,
    recurring: {
      interval: given.recurring.interval,
      interval_count: given.recurring.interval_count ?? 1,
      meter: null,
      trial_period_days: null,
      usage_type: 'licensed',
    },
    tax_behavior: 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: 'recurring',
    unit_amount: given.unit_amount,
    unit_amount_decimal: Stripe.Decimal.from(given.unit_amount),
  })
  store.emit('price.created', price)
  return price
}

function productOfPrice(store: Store, { product, product_data }: z.output<typeof priceCreate>): string {
  if (product !== undefined && product_data !== undefined) {
    throw invalidRequest('You may only specify one of these parameters: product, product_data.', {
      code: 'parameters_exclusive',
    })
  }
  if (product_data) return createProduct(store, product_data).id
  if (product === undefined) {
    throw invalidRequest('Must provide either product or product_data.', {
      code: 'parameter_missing',
      param: 'product',
    })
  }
  return store.need('product', product, 'product').id
}

/** A lookup key belongs to one price at most: refuses a taken key, or transfers it. */
function takeLookupKey(store: Store, lookupKey: string | undefined, transfer = false, taker?: string): void {
  const holder = lookupKey && store.all('price').find(({ id, lookup_key }) => lookup_key === lookupKey && id !== taker)
  if (!holder) return
  if (!transfer) {
    throw invalidRequest(
      `A price (\`${holder.id}\`) already uses that lookup key. To transfer that lookup key to this price, pass the parameter \`transfer_lookup_key\`.`,
      { code: 'resource_already_exists', param: 'lookup_key' },
    )
  }
  const after = store.change('price', holder.id, { lookup_key: null })
  showInSubscriptions(store, after)
  store.emit('price.updated', after, holder)
}

export const priceUpdate = params({
  active: flag.optional(),
  lookup_key: clearable.optional(),
  transfer_lookup_key: flag.optional(),
  metadata: metadata.optional(),
  nickname: clearable.optional(),
})

export function updatePrice(store: Store, id: string, given: z.output<typeof priceUpdate>): Price {
  const before = store.need('price', id)
  takeLookupKey(store, given.lookup_key ?? undefined, given.transfer_lookup_key, id)
  const after = store.change('price', id, {
    active: given.active ?? before.active,
    lookup_key: given.lookup_key === undefined ? before.lookup_key : given.lookup_key,
    metadata: mergeMetadata(before.metadata, given.metadata),
    nickname: given.nickname === undefined ? before.nickname : given.nickname,
  })
  showInSubscriptions(store, after)
  store.emit('price.updated', after, before)
  return after
}

/** Updates a price in its subscriptions, which show current prices. */
function showInSubscriptions(store: Store, price: Price): void {
  for (const { id, items } of store.all('subscription')) {
    if (!items.data.some((item) => item.price.id === price.id)) continue
    const data = items.data.map((item) => (item.price.id === price.id ? { ...item, price } : item))
    store.change('subscription', id, { items: { ...items, data } })
  }
}

/** Filters of price and product lists. */
export const priceFilters = {
  lookup_keys: listOf(text).optional(),
  active: flag.optional(),
  product: text.optional(),
  type: oneOf('recurring', 'one_time').optional(),
  currency: text.optional(),
}

/** An active price by id. */
export function sellablePrice(store: Store, id: string, param: string): Price {
  const price = store.need('price', id, param)
  if (!price.active) {
    throw invalidRequest(`The price specified is inactive. This field only accepts active prices.`, {
      code: 'price_inactive',
      param,
    })
  }
  return price
}
