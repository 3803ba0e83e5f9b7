/** The card fields of a form, and their parsing. */
import { invalidRequest } from '../model/api-error.ts'
import type { CardNumber } from '../model/cards.ts'
import { type Html, html } from './html.ts'

/** The fields with their earlier input, except number and code. */
export const cardFields = (typed: (field: string) => string = () => ''): Html => html`
<label for="number">Card number</label>
<input id="number" name="number" inputmode="numeric" autocomplete="off" required placeholder="4242 4242 4242 4242" aria-describedby="cards">
<div class="pair">
  <div><label for="expiry">Expiry (MM / YY)</label><input id="expiry" name="expiry" inputmode="numeric" autocomplete="off" required placeholder="12 / 34" value="${typed('expiry')}"></div>
  <div><label for="cvc">CVC</label><input id="cvc" name="cvc" inputmode="numeric" autocomplete="off" required placeholder="123"></div>
</div>
<details id="cards"><summary>Test cards</summary>
<p class="soft"><code>4242 4242 4242 4242</code> works · <code>4000 0000 0000 0002</code> is declined · <code>4000 0000 0000 0341</code> works now and fails at the first renewal · <code>4000 0000 0000 9995</code> has insufficient funds · <code>4000 0025 0000 3155</code> asks you to confirm (3-D Secure). Any expiry in the future, any CVC.</p></details>`

/**
 * Parses the card of a form.
 *
 * @throws ApiError with the message of Stripe's page
 */
export function readCard(form: URLSearchParams, nowSeconds: number): CardNumber {
  const expiry = /^\s*(\d{1,2})\s*\/?\s*(?:20)?(\d{2})\s*$/.exec(form.get('expiry') ?? '')
  const [expMonth, expYear] = [Number(expiry?.[1]), 2000 + Number(expiry?.[2])]
  if (!expiry || expMonth < 1 || expMonth > 12) throw invalidRequest('Your card’s expiration date is incomplete.')
  if (Date.UTC(expYear, expMonth) / 1000 <= nowSeconds)
    throw invalidRequest('Your card’s expiration date is in the past.')
  if (!/^\s*\d{3,4}\s*$/.test(form.get('cvc') ?? '')) throw invalidRequest('Your card’s security code is incomplete.')
  return { number: form.get('number') ?? '', expMonth, expYear, isConfirmed: form.get('confirmation') === 'complete' }
}
