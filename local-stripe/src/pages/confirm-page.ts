/** The step that a bank adds to a payment (3-D Secure): the customer confirms it, or fails to. */
import { authenticationFailed } from '../model/api-error.ts'
import { needsConfirmation } from '../model/cards.ts'
import { html } from './html.ts'
import { layout, type PageAnswer } from './layout.ts'

/**
 * The step's page, until the customer has answered it; then undefined. The page repeats the form that led to it, which may
 * hold the card: only one of the test numbers comes here.
 *
 * @throws ApiError when the customer failed the step
 */
export function confirmationPage(form: URLSearchParams): PageAnswer | undefined {
  const answer = form.get('confirmation')
  if (answer === 'complete') return undefined
  if (answer !== null) throw authenticationFailed()
  const fields = [...form].map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)
  const body = html`<section><h1>Confirm the payment</h1>
<p>Your bank asks you to confirm that it is you who pays (3-D Secure).</p>
<form method="post">${fields}<div class="actions">
<button name="confirmation" value="complete">Complete authentication</button>
<button class="plain" name="confirmation" value="fail">Fail authentication</button></div></form></section>`
  return { status: 200, body: layout({ title: 'Confirm the payment', body, width: 'narrow' }) }
}

/** The same for a form with a card, where the card needs the step. */
export const cardConfirmationPage = (form: URLSearchParams): PageAnswer | undefined =>
  needsConfirmation(form.get('number') ?? '') ? confirmationPage(form) : undefined
