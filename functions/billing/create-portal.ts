import { openPortal } from '../../shared/billing/portal.ts'
import { returnUrls } from '../../shared/billing/return-url.ts'
import { readBilling } from '../../shared/billing/rows.ts'
import { portalOpened } from '../../shared/billing/session-events.ts'
import { created } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { createPortalSession } from './contract.ts'

/** Creates a session of Stripe's billing portal for the org's customer. */
export const handler = serve(createPortalSession, async ({ caller, body, requestId, commit }) => {
  const { return_url: returnUrl } = returnUrls({ return_url: body.return_url }, { return_url: '/settings/billing' })
  const { customerId } = await readBilling(caller.orgId)
  const url = await openPortal({ orgId: caller.orgId, customerId, returnUrl, requestId })
  return commit(portalOpened(caller.orgId), created({ url }, url))
})
