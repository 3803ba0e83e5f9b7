/** The hosted checkout page: summary and card form. */

import { invalidRequest } from '../model/api-error.ts'
import { completeSession, lineItemsOf } from '../model/checkout.ts'
import { formatMoney, formatRhythm } from '../model/money.ts'
import type { CheckoutSession, LineItem } from '../model/objects.ts'
import type { Store } from '../model/store.ts'
import { cardFields, readCard } from './card-form.ts'
import { cardConfirmationPage } from './confirm-page.ts'
import { type Html, html } from './html.ts'
import { alert, layout, type PageAnswer } from './layout.ts'

export function showCheckout(
  store: Store,
  id: string,
  failure?: { message: string; form: URLSearchParams },
): PageAnswer {
  const session = store.need('checkout.session', id)
  if (session.status !== 'open') return { status: 200, body: closedPage(session) }
  const body = html`<div class="columns">${summary(store, session)}${paymentForm(store, session, failure)}</div>`
  return { status: failure ? 402 : 200, body: layout({ title: 'Checkout', body }) }
}

/** Pays a session with the submitted form. */
export function payCheckout(store: Store, id: string, form: URLSearchParams): PageAnswer {
  const email = emailOf(store, store.need('checkout.session', id)) ?? form.get('email') ?? ''
  if (!/^\S+@\S+$/.test(email)) throw invalidRequest('Your email is incomplete.')
  const name = form.get('name') || null
  const card = readCard(form, store.now())
  const confirmation = cardConfirmationPage(form)
  if (confirmation) return confirmation
  const session = completeSession(store, id, { ...card, email, name })
  return { redirect: successUrl(session) }
}

const successUrl = ({ success_url, id }: CheckoutSession): string =>
  (success_url ?? '').replaceAll('{CHECKOUT_SESSION_ID}', id)

const emailOf = (store: Store, { customer, customer_email }: CheckoutSession): string | null =>
  customer_email ?? (customer === null ? null : (store.get('customer', customer)?.email ?? null))

function summary(store: Store, session: CheckoutSession): Html {
  const items = lineItemsOf(store, session.id)
  const total = items.reduce((sum, { amount_total }) => sum + amount_total, 0)
  const [first] = items
  const currency = session.currency ?? 'usd'
  const rhythm = first ? formatRhythm(first.price.recurring) : ''
  return html`<section aria-labelledby="what">
<h1 id="what">Subscribe to ${first?.description ?? ''}</h1>
<p class="price">${formatMoney(total, currency)} <small>${rhythm}</small></p>
${items.map(itemRow)}
<p class="row total"><span>Due today</span><span>${formatMoney(session.amount_total ?? 0, currency)}</span></p>
${session.cancel_url && html`<p><a href="${session.cancel_url}">← Back without buying</a></p>`}
</section>`
}

const itemRow = ({ description, quantity, price, amount_total, currency }: LineItem): Html => html`
<div class="row"><span>${description}<br><small class="soft">Quantity ${quantity}, ${formatMoney(price.unit_amount ?? 0, currency)} each, billed ${formatRhythm(price.recurring)}</small></span><span>${formatMoney(amount_total, currency)}</span></div>`

function paymentForm(
  store: Store,
  session: CheckoutSession,
  failure?: { message: string; form: URLSearchParams },
): Html {
  const email = emailOf(store, session)
  const typed = (field: string) => failure?.form.get(field) ?? ''
  return html`<section aria-labelledby="pay">
<h2 id="pay">Pay with card</h2>
${alert(failure?.message)}
<form method="post">
${email ? html`<p class="soft">For ${email}</p>` : html`<label for="email">Email</label><input id="email" name="email" type="email" required autocomplete="off" value="${typed('email')}">`}
${cardFields(typed)}
<label for="name">Name on card</label><input id="name" name="name" autocomplete="off" value="${typed('name')}">
<button class="wide">Subscribe</button>
</form></section>`
}

function closedPage(session: CheckoutSession): string {
  const done = session.status === 'complete'
  const [heading, text] = done
    ? ['You’re all done here', 'This checkout was paid.']
    : ['This checkout has expired', 'Start a new checkout from the page that sent you here.']
  const link = done ? successUrl(session) : session.cancel_url
  const body = html`<section><h1>${heading}</h1><p>${text}</p>${link && html`<p><a href="${link}">Continue</a></p>`}</section>`
  return layout({ title: heading, body, width: 'narrow' })
}
