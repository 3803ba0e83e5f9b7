import { readBilling } from '../../shared/billing/rows.ts'
import { toBillingView } from '../../shared/billing/view.ts'
import { resource } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { getBilling } from './contract.ts'

/** The plan, and the subscription as last read from Stripe. */
export const handler = serve(getBilling, async ({ caller, now }) =>
  resource(toBillingView(await readBilling(caller.orgId), now)),
)
