import { ageHeader } from '../../shared/billing/cached.ts'
import { recentInvoices } from '../../shared/billing/invoices.ts'
import { readBilling } from '../../shared/billing/rows.ts'
import { ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { listInvoices } from './contract.ts'

/** The latest invoices. For an org without a customer the list is empty, without a call to Stripe. */
export const handler = serve(listInvoices, async ({ caller, query }) => {
  const { customerId } = await readBilling(caller.orgId)
  if (customerId === undefined) return ok({ data: [], next_cursor: null, cached_at: null, stale: false })
  const copy = await recentInvoices({ orgId: caller.orgId, customerId })
  const data = copy.value.slice(0, query.limit)
  return {
    ...ok({ data, next_cursor: null, cached_at: copy.cachedAt.toISOString(), stale: copy.stale }),
    headers: ageHeader(copy),
  }
})
