import { ok } from '../../shared/http/answer.ts'
import { servePublic } from '../../shared/http/serve-public.ts'
import { receive } from '../../shared/stripe-events/receive.ts'
import { receiveStripeEvent } from './contract.ts'

/** Takes a signed event of Stripe and answers once it is on the bus. */
export const handler = servePublic(receiveStripeEvent, async ({ rawBody, headers, requestId, now }) => {
  await receive({ body: rawBody, signature: headers['stripe-signature'], requestId, now })
  return ok({ received: true })
})
