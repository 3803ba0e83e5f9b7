/** Overview of the local Stripe: customers and events, with buttons for the clock and the cards. */
import { invalidRequest } from '../model/api-error.ts'
import { setCardsFail } from '../model/customers.ts'
import type { StripeEngine } from '../model/engine.ts'
import type { Customer } from '../model/objects.ts'
import type { Store } from '../model/store.ts'
import { type Html, html } from './html.ts'
import { alert, layout, type PageAnswer } from './layout.ts'

const recentEvents = 25

export function showOverview(store: Store, failure?: { message: string }): PageAnswer {
  const now = new Date(store.now() * 1000).toISOString()
  const body = html`<h1>Local Stripe</h1>
${alert(failure?.message)}
<section aria-label="Clock"><h2>Clock</h2><p>It is <strong>${now.slice(0, 16).replace('T', ' ')} UTC</strong> here. Moving the clock forward renews subscriptions, retries payments, ends trials and expires sessions.</p>
<div class="actions">${[1, 7, 31, 366].map((days) => html`<form method="post"><input type="hidden" name="days" value="${days}"><button class="plain">${days === 1 ? '1 day' : `${days} days`} on</button></form>`)}</div></section>
<section aria-label="Customers"><h2>Customers</h2>${customerTable(store)}</section>
<section aria-label="Events"><h2>Latest events</h2>${eventTable(store)}</section>`
  return { status: failure ? 400 : 200, body: layout({ title: 'Local Stripe', body }) }
}

function customerTable(store: Store): Html {
  const customers = store.all('customer').reverse()
  if (customers.length === 0) return html`<p class="soft">None yet. Start a checkout with the API.</p>`
  return html`<div class="scroll"><table>
<thead><tr><th scope="col">Customer</th><th scope="col">Email</th><th scope="col">Subscriptions</th><th scope="col">Cards</th></tr></thead>
<tbody>${customers.map((customer) => customerRow(store, customer))}</tbody></table></div>`
}

function customerRow(store: Store, { id, email }: Customer): Html {
  const subscriptions = store.all('subscription').filter(({ customer }) => customer === id)
  const cards = store.all('payment_method').filter(({ customer }) => customer === id)
  const fails = cards.some((card) => store.get('declining_card', card.id))
  return html`<tr><td><code>${id}</code></td><td>${email}</td><td>${subscriptions.map(({ status }) => status).join(', ')}</td>
<td>${cards.length > 0 && html`<form method="post"><input type="hidden" name="customer" value="${id}"><input type="hidden" name="fails" value="${String(!fails)}"><button class="plain">${fails ? 'Fails: let it work' : 'Works: let it fail'}</button></form>`}</td></tr>`
}

const eventTable = (store: Store): Html => html`<div class="scroll"><table>
<thead><tr><th scope="col">Time</th><th scope="col">Type</th><th scope="col">Event</th></tr></thead>
<tbody>${store
  .all('event')
  .slice(-recentEvents)
  .reverse()
  .map(
    (event) =>
      html`<tr><td>${new Date(event.created * 1000).toISOString().slice(0, 19).replace('T', ' ')}</td><td>${event.type}</td><td><code>${event.id}</code></td></tr>`,
  )}</tbody></table></div>`

/** Runs a button of the page: the clock, or a customer's cards. */
export function actInOverview(engine: StripeEngine, form: URLSearchParams): PageAnswer {
  const { store } = engine
  const customer = form.get('customer')
  const days = Number(form.get('days'))
  if (customer) store.atomically(() => setCardsFail(store, customer, form.get('fails') === 'true'))
  else if (days > 0 && days <= 3660) engine.advance({ days })
  else throw invalidRequest('Choose how far to move the clock.')
  return { redirect: new URL(store.pagesUrl).pathname }
}
