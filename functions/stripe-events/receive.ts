import { ok } from '../../shared/http/answer.ts'
import { servePublic } from '../../shared/http/serve-public.ts'
import { receive } from '../../shared/stripe-events/receive.ts'
import { receiveStripeEvent } from './contract.ts'

/** Accepts a signed Stripe event, and answers after the bus accepted it. */
export const handler = servePublic(receiveStripeEvent, async ({ rawBody, headers, requestId, now }) => {
  await receive({ body: rawBody, signature: headers['stripe-signature'], requestId, now })
  return ok({ received: true })
})
