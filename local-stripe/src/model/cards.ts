/** Cards of customers: Stripe's test numbers and their outcomes. */
import type Stripe from 'stripe'
import { cardDeclined, insufficientFunds, invalidRequest, requiresAction, resourceMissing } from './api-error.ts'
import type { PaymentMethod } from './objects.ts'
import { oneOf, params, text } from './params.ts'
import type { Store } from './store.ts'

/** Outcomes of Stripe's test card numbers. */
type CardOutcome = 'works' | 'declined' | 'insufficient funds' | 'needs confirmation'

const decliningLater = '0341'

const testCards: Record<string, CardOutcome> = {
  '4242424242424242': 'works',
  '5555555555554444': 'works',
  '4000000000000002': 'declined',
  '4000000000000341': 'works',
  '4000000000009995': 'insufficient funds',
  '4000002500003155': 'needs confirmation',
}

/** Stripe's names of test cards, for API calls without a form. */
const testMethods: Record<string, string> = {
  pm_card_visa: '4242424242424242',
  pm_card_mastercard: '5555555555554444',
  pm_card_chargeDeclined: '4000000000000002',
  pm_card_chargeCustomerFail: '4000000000000341',
  pm_card_chargeDeclinedInsufficientFunds: '4000000000009995',
  pm_card_authenticationRequiredOnSetup: '4000002500003155',
}

export interface CardNumber {
  number: string
  expMonth: number
  expYear: number
  /** Whether the customer has confirmed a card that needs it (3-D Secure). */
  isConfirmed?: boolean
}

const digitsOf = (number: string): string => number.replaceAll(/[ -]/g, '')

/** Whether a customer must confirm payments with this number (3-D Secure) before it can be charged. */
export const needsConfirmation = (number: string): boolean => testCards[digitsOf(number)] === 'needs confirmation'

/**
 * Adds a card to a customer.
 *
 * @throws ApiError with Stripe's message when the card is refused
 */
export function addCard(store: Store, customer: string, given: CardNumber): PaymentMethod {
  const digits = digitsOf(given.number)
  const outcome = testCards[digits]
  if (!outcome) {
    throw invalidRequest('Your card number is not one of the local Stripe’s test cards.', {
      code: 'incorrect_number',
      param: 'number',
    })
  }
  if (outcome === 'declined') throw cardDeclined()
  if (outcome === 'insufficient funds') throw insufficientFunds()
  const { email, name = null } = store.need('customer', customer, 'customer')
  const method = store.put('payment_method', {
    id: store.id('pm_1'),
    object: 'payment_method',
    allow_redisplay: 'limited',
    billing_details: { address: noAddress, email, name, phone: null, tax_id: null },
    card: cardOf(digits, given),
    created: store.now(),
    customer,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: 'card',
  })
  if (outcome === 'needs confirmation' && !given.isConfirmed) store.put('unconfirmed_card', { id: method.id })
  store.emit('payment_method.attached', method)
  return method
}

const noAddress = { city: null, country: null, line1: null, line2: null, postal_code: null, state: null }

function cardOf(digits: string, { expMonth, expYear }: CardNumber): Stripe.PaymentMethod.Card {
  const brand = digits.startsWith('5') ? 'mastercard' : 'visa'
  const last4 = digits.slice(-4)
  return {
    brand,
    checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
    country: 'US',
    display_brand: brand,
    exp_month: expMonth,
    exp_year: expYear,
    fingerprint: `local${last4}`,
    funding: 'credit',
    generated_from: null,
    last4,
    networks: { available: [brand], preferred: null },
    regulated_status: 'unregulated',
    three_d_secure_usage: { supported: true },
    wallet: null,
  }
}

export const isUnconfirmed = (store: Store, card: string | null): boolean =>
  card !== null && store.get('unconfirmed_card', card) !== undefined

/** Marks a card as confirmed by the customer, so that it can be charged. */
export const confirmCard = (store: Store, card: string): void => store.remove('unconfirmed_card', card)

/** The error of a failed charge. */
export const chargeRefused = (store: Store, card: string | null, options?: { keepsChanges: boolean }) =>
  isUnconfirmed(store, card) ? requiresAction(options) : cardDeclined(options)

/** Applies a test number that is accepted at first: from now on the card declines every charge. */
export function declineLaterCharges(store: Store, { id, card }: PaymentMethod): void {
  if (card?.last4 === decliningLater) store.put('declining_card', { id })
}

export const paymentMethodAttach = params({ customer: text })

/** Attaches a named test card, or returns a card that is already attached. */
export function attachPaymentMethod(store: Store, id: string, customer: string, param = 'id'): PaymentMethod {
  store.need('customer', customer, 'customer')
  const number = testMethods[id]
  if (!number) return requireCard(store, id, customer, param)
  const card = addCard(store, customer, { number, expMonth: 12, expYear: yearOf(store) + 5 })
  declineLaterCharges(store, card)
  return card
}

const yearOf = (store: Store): number => new Date(store.now() * 1000).getUTCFullYear()

/** A card of this customer. */
export function requireCard(store: Store, id: string, customer: string, param: string): PaymentMethod {
  const method = store.get('payment_method', id)
  if (method?.customer === customer) return method
  if (!method) throw resourceMissing('PaymentMethod', id, param)
  throw invalidRequest('The payment method does not belong to this customer.', { param })
}

export const paymentMethodFilters = { customer: text.optional(), type: oneOf('card').optional() }
