import { openCheckout, toCheckoutView, whileNoOtherCheckout, wishOf } from '../../shared/billing/checkout.ts'
import { readBilling } from '../../shared/billing/rows.ts'
import { checkoutStarted } from '../../shared/billing/session-events.ts'
import { created, resource } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { createCheckoutSession } from './contract.ts'

/** Answers the URL of a checkout session: the open one for this purchase, or a new one. */
export const handler = serve(createCheckoutSession, ({ caller, body, context, deadline, commit }) => {
  const wish = wishOf(body)
  return whileNoOtherCheckout(caller.orgId, async () => {
    const checkout = await openCheckout(wish, { context, deadline })
    const record = toCheckoutView(checkout, wish)
    const answer = checkout.reused ? resource(record) : created(record, record.url)
    const { checkoutSessionId: told } = await readBilling(caller.orgId)
    return told === record.session_id ? answer : commit(checkoutStarted(caller.orgId, record), answer)
  })
})
