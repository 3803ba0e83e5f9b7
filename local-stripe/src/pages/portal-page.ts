/** The billing portal: a customer's plan, card and invoices, with actions on them. */
import { invalidRequest } from '../model/api-error.ts'
import { addCard, declineLaterCharges } from '../model/cards.ts'
import { updateCustomer } from '../model/customers.ts'
import { cardOf } from '../model/invoices.ts'
import { formatDate, formatMoney, formatRhythm } from '../model/money.ts'
import type { Customer, Invoice, PaymentMethod, PortalSession, Price, Subscription } from '../model/objects.ts'
import type { Store } from '../model/store.ts'
import { hasEnded, periodOf, totalOf } from '../model/subscription-object.ts'
import { updateSubscription } from '../model/subscription-update.ts'
import { cardFields, readCard } from './card-form.ts'
import { cardConfirmationPage } from './confirm-page.ts'
import { type Html, html } from './html.ts'
import { payOrConfirm } from './invoice-page.ts'
import { alert, layout, type PageAnswer } from './layout.ts'

interface Portal {
  store: Store
  session: PortalSession
  customer: Customer
  subscriptions: Subscription[]
}

function openPortal(store: Store, id: string): Portal {
  const session = store.need('billing_portal.session', id)
  const customer = store.need('customer', session.customer)
  const subscriptions = store.all('subscription').filter((each) => each.customer === customer.id)
  return { store, session, customer, subscriptions: subscriptions.reverse() }
}

export function showPortal(store: Store, id: string, failure?: { message: string }): PageAnswer {
  const portal = openPortal(store, id)
  const { session, customer, subscriptions } = portal
  const going = subscriptions.filter(({ status }) => !hasEnded(status))
  const body = html`
<h1>Billing${customer.name || customer.email ? ` of ${customer.name ?? customer.email}` : ''}</h1>
${session.return_url && html`<p><a href="${session.return_url}">← Return to ${new URL(session.return_url).host}</a></p>`}
${alert(failure?.message)}
<h2>Current plan</h2>
${going.length > 0 ? going.map((subscription) => planSection(portal, subscription)) : html`<section><p class="soft">No plan at the moment.</p></section>`}
<h2>Payment method</h2>${cardSection(portal)}
<h2>Invoices</h2>${invoiceSection(portal)}`
  return { status: failure ? 402 : 200, body: layout({ title: 'Billing portal', body }) }
}

const statusTags: Record<string, { label: string; look: string }> = {
  active: { label: 'Active', look: 'good' },
  trialing: { label: 'Trial', look: 'good' },
  past_due: { label: 'Past due', look: 'bad' },
  unpaid: { label: 'Unpaid', look: 'bad' },
  incomplete: { label: 'Incomplete', look: 'warn' },
  paused: { label: 'Paused', look: 'warn' },
}

function planSection(portal: Portal, subscription: Subscription): Html {
  const { store } = portal
  const { id, status, currency, cancel_at, items } = subscription
  const [item] = items.data
  const ends = cancel_at !== null
  const tag = statusTags[status] ?? { label: status, look: 'warn' }
  return html`<section aria-label="Plan">
<p><strong>${item ? store.need('product', item.price.product).name : ''}</strong> <span class="tag ${ends ? 'warn' : tag.look}">${ends ? `Ends ${formatDate(cancel_at)}` : tag.label}</span></p>
<p class="price">${formatMoney(totalOf(subscription), currency)} <small>${item && formatRhythm(item.price.recurring)}</small></p>
<p class="soft">Quantity ${item?.quantity ?? 0}. ${ends ? `Your plan ends on ${formatDate(cancel_at)}.` : renewalText(subscription)}</p>
${changeForm(portal, subscription)}
<div class="actions">${ends ? renewForm(id) : cancelForm(subscription)}</div>
</section>`
}

const renewalText = (subscription: Subscription): string => {
  const date = formatDate(periodOf(subscription).end)
  return subscription.status === 'trialing' ? `The trial ends on ${date}.` : `Renews on ${date}.`
}

function changeForm({ store }: Portal, { id, items }: Subscription): Html | false {
  const [item] = items.data
  if (!item) return false
  const choices = pricesBeside(store, item.price)
  return html`<details><summary>Change plan</summary><form method="post">
<input type="hidden" name="action" value="change"><input type="hidden" name="subscription" value="${id}">
<fieldset><legend>Price</legend>${choices.map(
    (price) =>
      html`<label><input type="radio" name="price" value="${price.id}" ${price.id === item.price.id && html`checked`}> ${formatMoney(price.unit_amount ?? 0, price.currency)} ${formatRhythm(price.recurring)}</label>`,
  )}</fieldset>
<label for="quantity-${id}">Quantity</label><input id="quantity-${id}" name="quantity" type="number" min="1" max="999" required value="${item.quantity}">
<div class="actions"><button>Update plan</button></div></form></details>`
}

/** Prices of the same product: all active prices, and the current price even if it is inactive. */
const pricesBeside = (store: Store, current: Price): Price[] =>
  store.all('price').filter(({ id, product, active }) => id === current.id || (active && product === current.product))

const renewForm = (id: string): Html => html`<form method="post">
<input type="hidden" name="action" value="renew"><input type="hidden" name="subscription" value="${id}">
<button>Don’t cancel plan</button></form>`

const cancelForm = (
  subscription: Subscription,
): Html => html`<details><summary>Cancel plan</summary><form method="post">
<input type="hidden" name="action" value="cancel"><input type="hidden" name="subscription" value="${subscription.id}">
<p>Your plan continues until ${formatDate(periodOf(subscription).end)} and then ends.</p>
<button class="bad">Cancel plan</button></form></details>`

function cardSection(portal: Portal): Html {
  const card = cardInUse(portal)
  return html`<section aria-label="Payment method">
<p>${card?.card ? `${card.card.brand === 'visa' ? 'Visa' : 'Mastercard'} ending in ${card.card.last4}, expires ${card.card.exp_month}/${card.card.exp_year}` : 'No card yet.'}</p>
<details><summary>${card ? 'Change card' : 'Add a card'}</summary><form method="post">
<input type="hidden" name="action" value="card">${cardFields()}<div class="actions"><button>Save card</button></div></form></details>
</section>`
}

function cardInUse({ store, customer, subscriptions }: Portal): PaymentMethod | undefined {
  const [latest] = subscriptions.filter(({ status }) => !hasEnded(status))
  const { default_payment_method: byDefault } = customer.invoice_settings
  const id = latest ? cardOf(store, latest) : byDefault
  return typeof id === 'string' ? store.get('payment_method', id) : undefined
}

function invoiceSection({ store, customer }: Portal): Html {
  const invoices = store.all('invoice').filter((invoice) => invoice.customer === customer.id && invoice.number !== null)
  if (invoices.length === 0) return html`<section><p class="soft">No invoices yet.</p></section>`
  return html`<section aria-label="Invoices"><ul>${invoices.reverse().map(invoiceRow)}</ul></section>`
}

const invoiceRow = (invoice: Invoice): Html => html`<li class="row">
<span><a href="${invoice.hosted_invoice_url ?? ''}">${invoice.number}</a><br><small class="soft">${formatDate(invoice.created)}</small></span>
<span>${formatMoney(invoice.total, invoice.currency)} <span class="tag ${invoice.status === 'paid' ? 'good' : 'warn'}">${invoice.status}</span></span>
${invoice.status === 'open' && payForm(invoice)}</li>`

const payForm = ({ id, amount_due, currency }: Invoice): Html => html`<form method="post">
<input type="hidden" name="action" value="pay"><input type="hidden" name="invoice" value="${id}">
<button class="plain">Pay ${formatMoney(amount_due, currency)}</button></form>`

/** Runs the action of a form on the page. */
export function actInPortal(store: Store, id: string, form: URLSearchParams): PageAnswer {
  const portal = openPortal(store, id)
  const actions: Record<string, () => PageAnswer | undefined> = {
    card: () => changeCard(portal, form),
    change: () => changePlan(portal, form),
    // Like Stripe's portal in the current billing mode: it sets a date, not the flag.
    cancel: () => endPlan(portal, form, 'max_period_end'),
    renew: () => endPlan(portal, form, null),
    pay: () => payOwnInvoice(portal, form),
  }
  const action = actions[form.get('action') ?? '']
  if (!action) throw invalidRequest('There is no such action.')
  const step = action()
  if (step) return step
  return { redirect: new URL(portal.session.url).pathname }
}

function ownSubscription({ subscriptions }: Portal, form: URLSearchParams): Subscription {
  const found = subscriptions.find(({ id }) => id === form.get('subscription'))
  if (!found || hasEnded(found.status)) throw invalidRequest('This plan has ended.')
  return found
}

function endPlan(portal: Portal, form: URLSearchParams, cancel_at: 'max_period_end' | null): undefined {
  updateSubscription(portal.store, ownSubscription(portal, form).id, { cancel_at })
}

function changePlan(portal: Portal, form: URLSearchParams): undefined {
  const { id, items } = ownSubscription(portal, form)
  const [item] = items.data
  const price = pricesBeside(portal.store, item?.price ?? unsold()).find((each) => each.id === form.get('price'))
  const quantity = Number(form.get('quantity'))
  if (!item || !price || !Number.isInteger(quantity) || quantity < 1)
    throw invalidRequest('Choose a price and a quantity.')
  updateSubscription(portal.store, id, {
    items: [{ id: item.id, ...(price.id === item.price.id ? {} : { price: price.id }), quantity }],
    proration_behavior: 'always_invoice',
    payment_behavior: 'error_if_incomplete',
  })
}

const unsold = (): never => {
  throw invalidRequest('This plan has no price.')
}

function changeCard({ store, customer, subscriptions }: Portal, form: URLSearchParams): PageAnswer | undefined {
  const given = readCard(form, store.now())
  const confirmation = cardConfirmationPage(form)
  if (confirmation) return confirmation
  const card = addCard(store, customer.id, given)
  declineLaterCharges(store, card)
  const { id } = card
  updateCustomer(store, customer.id, { invoice_settings: { default_payment_method: id } })
  for (const subscription of subscriptions) {
    if (!hasEnded(subscription.status)) updateSubscription(store, subscription.id, { default_payment_method: id })
  }
  return undefined
}

function payOwnInvoice({ store, customer }: Portal, form: URLSearchParams): PageAnswer | undefined {
  const invoice = store.need('invoice', form.get('invoice') ?? '')
  if (invoice.customer !== customer.id) throw invalidRequest('This invoice belongs to another customer.')
  return payOrConfirm(store, invoice.id, form)
}
