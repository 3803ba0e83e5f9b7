/** The bank's confirmation of a payment (3-D Secure), which the customer completes or fails. */
import { authenticationFailed } from '../model/api-error.ts'
import { needsConfirmation } from '../model/cards.ts'
import { html } from './html.ts'
import { layout, type PageAnswer } from './layout.ts'

/**
 * The confirmation page, or undefined once the customer has confirmed. The page repeats the previous form, card included:
 * only a test number can be in it.
 *
 * @throws ApiError when the customer fails the confirmation
 */
export function confirmationPage(form: URLSearchParams): PageAnswer | undefined {
  const answer = form.get('confirmation')
  if (answer === 'complete') return undefined
  if (answer !== null) throw authenticationFailed()
  const fields = [...form].map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)
  const body = html`<section><h1>Confirm the payment</h1>
<p>Your bank asks you to confirm this payment (3-D Secure).</p>
<form method="post">${fields}<div class="actions">
<button name="confirmation" value="complete">Complete authentication</button>
<button class="plain" name="confirmation" value="fail">Fail authentication</button></div></form></section>`
  return { status: 200, body: layout({ title: 'Confirm the payment', body, width: 'narrow' }) }
}

/** The confirmation page for a form whose card needs confirmation. */
export const cardConfirmationPage = (form: URLSearchParams): PageAnswer | undefined =>
  needsConfirmation(form.get('number') ?? '') ? confirmationPage(form) : undefined
