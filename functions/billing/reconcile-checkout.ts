import { findCheckout, isPaid } from '../../shared/billing/checkout.ts'
import { readBilling } from '../../shared/billing/rows.ts'
import { syncCustomer } from '../../shared/billing/sync.ts'
import { type ReconciledBilling, toBillingView } from '../../shared/billing/view.ts'
import { resource } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { reconcileCheckout } from './contract.ts'

/** Updates billing after a paid checkout. An unpaid checkout changes nothing. */
export const handler = serve(reconcileCheckout, async ({ caller, body, context, deadline, now }) => {
  const { orgId } = caller
  const { customerId } = await readBilling(orgId)
  const { customer, session } = await findCheckout(body.session_id, { orgId, customerId })
  if (isPaid(session)) {
    await syncCustomer({ orgId, customerId: customer, source: 'reconcile', context, deadline })
  }
  const { status, payment_status } = session
  // The pinned API version fixes the values that Stripe sends; the types of its client allow later ones too.
  const checkout = { status, payment_status } as ReconciledBilling['checkout']
  return resource({ ...toBillingView(await readBilling(orgId), now), checkout })
})
