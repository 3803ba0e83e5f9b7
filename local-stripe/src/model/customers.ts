/** Customers: creation, changes and search. */
import type Stripe from 'stripe'
import * as z from 'zod'
import { invalidRequest } from './api-error.ts'
import { attachPaymentMethod, requireCard } from './cards.ts'
import type { Customer } from './objects.ts'
import { clearable, integer, listOf, mergeMetadata, metadata, oneOf, params, text } from './params.ts'
import type { Store } from './store.ts'

const address = z.strictObject({
  city: clearable.optional(),
  country: clearable.optional(),
  line1: clearable.optional(),
  line2: clearable.optional(),
  postal_code: clearable.optional(),
  state: clearable.optional(),
})

const fields = {
  address: z.union([z.literal('').transform(() => null), address]).optional(),
  description: clearable.optional(),
  email: clearable.optional(),
  invoice_settings: z.strictObject({ default_payment_method: clearable.optional() }).optional(),
  metadata: metadata.optional(),
  name: clearable.optional(),
  phone: clearable.optional(),
  preferred_locales: listOf(text).optional(),
  tax_exempt: oneOf('none', 'exempt', 'reverse').optional(),
  balance: integer.optional(),
}

export const customerCreate = params({ ...fields, payment_method: text.optional() })
export const customerUpdate = params(fields)

type Fields = z.output<typeof customerUpdate>

export function createCustomer(store: Store, given: z.output<typeof customerCreate>): Customer {
  const id = store.id('cus_', 14)
  const blank: Customer = {
    id,
    object: 'customer',
    address: null,
    balance: 0,
    created: store.now(),
    currency: null,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: null,
    invoice_prefix: store.id('', 8).toUpperCase(),
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
    livemode: false,
    metadata: {},
    name: null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  }
  store.put('customer', blank)
  if (given.payment_method) attachPaymentMethod(store, given.payment_method, id, 'payment_method')
  const customer = store.put('customer', withFields(store, blank, given))
  store.emit('customer.created', customer)
  return customer
}

export function updateCustomer(store: Store, id: string, given: Fields): Customer {
  const before = store.need('customer', id)
  const after = store.put('customer', withFields(store, before, given))
  store.emit('customer.updated', after, before)
  return after
}

function withFields(store: Store, customer: Customer, given: Fields): Customer {
  const kept = <T>(value: T | undefined, before: T): T => (value === undefined ? before : value)
  const { invoice_settings } = customer
  const paymentMethod = given.invoice_settings?.default_payment_method
  if (paymentMethod) requireCard(store, paymentMethod, customer.id, 'invoice_settings[default_payment_method]')
  return {
    ...customer,
    address: given.address === undefined ? (customer.address ?? null) : wholeAddress(given.address),
    balance: kept(given.balance, customer.balance),
    description: kept(given.description, customer.description),
    email: kept(given.email, customer.email),
    invoice_settings: {
      ...invoice_settings,
      default_payment_method: kept(paymentMethod, cardId(invoice_settings.default_payment_method)),
    },
    metadata: mergeMetadata(customer.metadata, given.metadata),
    name: kept(given.name, customer.name ?? null),
    phone: kept(given.phone, customer.phone ?? null),
    preferred_locales: given.preferred_locales ?? customer.preferred_locales ?? [],
    tax_exempt: given.tax_exempt ?? customer.tax_exempt ?? 'none',
  }
}

const wholeAddress = (given: z.output<typeof address> | null): Stripe.Address | null =>
  given && {
    city: given.city ?? null,
    country: given.country ?? null,
    line1: given.line1 ?? null,
    line2: given.line2 ?? null,
    postal_code: given.postal_code ?? null,
    state: given.state ?? null,
  }

/** Makes all cards of a customer fail from now on, or work again. */
export function setCardsFail(store: Store, customer: string, fails: boolean): void {
  store.need('customer', customer)
  for (const { id, customer: owner } of store.all('payment_method')) {
    if (owner !== customer) continue
    if (fails) store.put('declining_card', { id })
    else store.remove('declining_card', id)
  }
}

/** The customer's default card. */
export const defaultCard = (customer: Customer): string | null =>
  cardId(customer.invoice_settings.default_payment_method)

const cardId = (reference: string | { id: string } | null): string | null =>
  typeof reference === 'string' || reference === null ? reference : reference.id

export const customerFilters = { email: text.optional() }
export const customerSearch = params({ query: text, limit: integer.optional(), page: text.optional() })

/** Finds customers by a query of `email`, `name` and `metadata` clauses joined by AND. */
export function searchCustomers(store: Store, query: string): Customer[] {
  const clauses = query.split(/\s+AND\s+/i).map((clause) => {
    const match = /^\s*(?:(email|name)|metadata\[(["'])(.+?)\2\])\s*:\s*(["'])(.*)\4\s*$/.exec(clause)
    if (!match) throw invalidRequest(`We were unable to parse your search query: ${query}`, { param: 'query' })
    const [, field, , key = '', , value = ''] = match
    return (customer: Customer) =>
      (field === 'email' ? customer.email : field === 'name' ? customer.name : customer.metadata[key]) === value
  })
  return store.all('customer').filter((customer) => clauses.every((holds) => holds(customer)))
}
