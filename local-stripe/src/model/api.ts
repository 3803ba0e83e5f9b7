/** Stripe's API as data: each route with its parameters and its function. */
import type * as z from 'zod'
import { account } from './account.ts'
import { resourceMissing } from './api-error.ts'
import { pauseSubscription, payInvoice } from './billing-cycle.ts'
import * as cards from './cards.ts'
import * as catalog from './catalog.ts'
import * as checkout from './checkout.ts'
import * as customers from './customers.ts'
import { deleteCustomer } from './delete-customer.ts'
import * as invoices from './invoices.ts'
import { defaultLimit, type Paging, page } from './page.ts'
import { flag, inRange, listOf, listParams, params, range, readParams, text } from './params.ts'
import * as portal from './portal.ts'
import type { Collections, Kind, Store } from './store.ts'
import { hasEnded } from './subscription-object.ts'
import { subscriptionUpdate, updateSubscription } from './subscription-update.ts'
import * as subscriptions from './subscriptions.ts'

export interface Route {
  method: 'GET' | 'POST' | 'DELETE'
  /** `{id}` stands for the object's id. */
  path: string
  run: (store: Store, id: string, given: unknown) => object
}

function route<Schema extends z.ZodType>(
  at: `${Route['method']} /v1/${string}`,
  schema: Schema,
  run: (store: Store, id: string, given: z.output<Schema>) => object,
): Route {
  const [method, path] = at.split(' ') as [Route['method'], string]
  return { method, path, run: (store, id, given) => run(store, id, readParams(schema, given)) }
}

const nothing = params({})

const retrieve = (path: `/v1/${string}`, kind: Kind): Route =>
  route(`GET ${path}/{id}`, nothing, (store, id) => store.need(kind, id))

type Filter<K extends Kind, Given> = (store: Store, given: Given) => (object: Collections[K]) => boolean

/** A list of a kind, newest first. */
function list<K extends Kind, Shape extends z.ZodRawShape>(
  path: `/v1/${string}`,
  kind: K,
  filters: Shape,
  filter: Filter<K, z.output<z.ZodObject<Shape>>>,
): Route {
  return route(`GET ${path}`, listParams(filters), (store, _id, given) => {
    // `given` has the parameters of the page and those of the filters.
    const matches = filter(store, given as unknown as z.output<z.ZodObject<Shape>>)
    const missing = (id: string) => resourceMissing(kind, id, 'starting_after')
    return page({ all: store.all(kind).reverse(), matches, url: path, missing }, given as Paging)
  })
}

/** A filter by customer, which refuses a customer that never existed. */
function ofCustomer(store: Store, customer: string | undefined): (object: { customer: unknown }) => boolean {
  if (customer !== undefined && !store.get('deleted_customer', customer)) store.need('customer', customer, 'customer')
  return (object) => customer === undefined || object.customer === customer
}

const equals = <T>(wanted: T | undefined, is: T): boolean => wanted === undefined || wanted === is

export const routes: readonly Route[] = [
  route('GET /v1/account', nothing, () => account),

  route('POST /v1/customers', customers.customerCreate, (store, _id, given) => customers.createCustomer(store, given)),
  list(
    '/v1/customers',
    'customer',
    customers.customerFilters,
    (_store, { email }) =>
      (customer) =>
        equals(email, customer.email ?? undefined),
  ),
  route('GET /v1/customers/search', customers.customerSearch, (store, _id, { query, limit = defaultLimit }) => {
    const found = customers.searchCustomers(store, query).reverse()
    return {
      object: 'search_result',
      data: found.slice(0, limit),
      has_more: found.length > limit,
      next_page: null,
      url: '/v1/customers/search',
    }
  }),
  route('GET /v1/customers/{id}', nothing, (store, id) =>
    store.get('deleted_customer', id) ? { id, object: 'customer', deleted: true } : store.need('customer', id),
  ),
  route('POST /v1/customers/{id}', customers.customerUpdate, (store, id, given) =>
    customers.updateCustomer(store, id, given),
  ),
  route('DELETE /v1/customers/{id}', nothing, (store, id) => deleteCustomer(store, id)),

  list('/v1/payment_methods', 'payment_method', cards.paymentMethodFilters, (store, { customer }) =>
    ofCustomer(store, customer),
  ),
  route('POST /v1/payment_methods/{id}/attach', cards.paymentMethodAttach, (store, id, { customer }) =>
    cards.attachPaymentMethod(store, id, customer),
  ),

  route('POST /v1/products', catalog.productCreate, (store, _id, given) => catalog.createProduct(store, given)),
  list(
    '/v1/products',
    'product',
    { active: catalog.priceFilters.active, ids: listOf(text).optional() },
    (_store, { active, ids }) =>
      (product) =>
        equals(active, product.active) && (ids?.includes(product.id) ?? true),
  ),
  retrieve('/v1/products', 'product'),
  route('POST /v1/products/{id}', catalog.productUpdate, (store, id, given) => catalog.updateProduct(store, id, given)),

  route('POST /v1/prices', catalog.priceCreate, (store, _id, given) => catalog.createPrice(store, given)),
  list(
    '/v1/prices',
    'price',
    catalog.priceFilters,
    (_store, { lookup_keys, active, product, type, currency }) =>
      (price) =>
        (lookup_keys?.includes(price.lookup_key ?? '') ?? true) &&
        equals(active, price.active) &&
        equals(product, price.product) &&
        equals<string>(type, price.type) &&
        equals(currency, price.currency),
  ),
  retrieve('/v1/prices', 'price'),
  route('POST /v1/prices/{id}', catalog.priceUpdate, (store, id, given) => catalog.updatePrice(store, id, given)),

  route('POST /v1/checkout/sessions', checkout.sessionCreate, (store, _id, given) =>
    checkout.createSession(store, given),
  ),
  list(
    '/v1/checkout/sessions',
    'checkout.session',
    checkout.sessionFilters,
    (store, { customer, subscription, status, created }) => {
      const isOfCustomer = ofCustomer(store, customer)
      return (session) =>
        isOfCustomer(session) &&
        equals(subscription, session.subscription ?? undefined) &&
        equals<string>(status, session.status ?? '') &&
        inRange(session.created, created)
    },
  ),
  retrieve('/v1/checkout/sessions', 'checkout.session'),
  route('POST /v1/checkout/sessions/{id}/expire', nothing, (store, id) => checkout.expireSession(store, id)),
  route('GET /v1/checkout/sessions/{id}/line_items', listParams({}), (store, id, given) => {
    store.need('checkout.session', id)
    const url = `/v1/checkout/sessions/${id}/line_items`
    const missing = (item: string) => resourceMissing('item', item, 'starting_after')
    return page({ all: checkout.lineItemsOf(store, id), url, missing }, given)
  }),

  route('POST /v1/billing_portal/sessions', portal.portalSessionCreate, (store, _id, given) =>
    portal.createPortalSession(store, given),
  ),
  list(
    '/v1/billing_portal/configurations',
    'billing_portal.configuration',
    portal.configurationFilters,
    (_store, { active, is_default }) =>
      (configuration) =>
        equals(active, configuration.active) && equals(is_default, configuration.is_default),
  ),

  route('POST /v1/subscriptions', subscriptions.subscriptionCreate, (store, _id, given) =>
    subscriptions.createSubscription(store, given),
  ),
  list(
    '/v1/subscriptions',
    'subscription',
    subscriptions.subscriptionFilters,
    (store, { customer, price, status, created }) => {
      const isOfCustomer = ofCustomer(store, customer)
      return (subscription) =>
        isOfCustomer(subscription) &&
        hasStatus(status, subscription.status) &&
        inRange(subscription.created, created) &&
        (price === undefined || subscription.items.data.some((item) => item.price.id === price))
    },
  ),
  retrieve('/v1/subscriptions', 'subscription'),
  route('POST /v1/subscriptions/{id}', subscriptionUpdate, (store, id, given) => updateSubscription(store, id, given)),
  route('DELETE /v1/subscriptions/{id}', subscriptions.subscriptionCancel, (store, id, given) =>
    subscriptions.cancelSubscription(store, id, given),
  ),
  route('POST /v1/subscriptions/{id}/pause', subscriptions.subscriptionPause, (store, id) =>
    pauseSubscription(store, id),
  ),
  route('POST /v1/subscriptions/{id}/resume', subscriptions.subscriptionResume, (store, id) =>
    subscriptions.resumeSubscription(store, id),
  ),

  list(
    '/v1/invoices',
    'invoice',
    invoices.invoiceFilters,
    (store, { customer, subscription, status, collection_method, created }) => {
      const isOfCustomer = ofCustomer(store, customer)
      return (invoice) =>
        isOfCustomer(invoice) &&
        equals(subscription, invoices.subscriptionOf(invoice)) &&
        equals<string>(status, invoice.status ?? '') &&
        equals<string>(collection_method, invoice.collection_method) &&
        inRange(invoice.created, created)
    },
  ),
  retrieve('/v1/invoices', 'invoice'),
  route('POST /v1/invoices/{id}/pay', invoices.invoicePay, (store, id, given) =>
    payInvoice(store, id, given.payment_method),
  ),

  list(
    '/v1/events',
    'event',
    {
      type: text.optional(),
      types: listOf(text).optional(),
      created: range.optional(),
      delivery_success: flag.optional(),
    },
    (_store, { type, types, created, delivery_success: delivered }) =>
      (event) =>
        equals<string>(type, event.type) &&
        (types?.includes(event.type) ?? true) &&
        inRange(event.created, created) &&
        equals(delivered, event.pending_webhooks === 0),
  ),
  retrieve('/v1/events', 'event'),
]

/** Without a status, Stripe lists all subscriptions that are not canceled. */
function hasStatus(wanted: string | undefined, is: string): boolean {
  if (wanted === undefined) return is !== 'canceled'
  if (wanted === 'all') return true
  return wanted === 'ended' ? hasEnded(is) : wanted === is
}
