import { toBillingRecord } from '../../shared/billing/record.ts'
import { readBilling } from '../../shared/billing/rows.ts'
import { resource } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { getBilling } from './contract.ts'

/** The plan and what Stripe said last. */
export const handler = serve(getBilling, async ({ caller, now }) =>
  resource(toBillingRecord(await readBilling(caller.orgId), now)),
)
