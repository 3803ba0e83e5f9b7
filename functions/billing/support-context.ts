import { ageHeader } from '../../shared/billing/cached.ts'
import { planOf } from '../../shared/billing/current-plan.ts'
import { latestInvoice } from '../../shared/billing/invoices.ts'
import { readBilling } from '../../shared/billing/rows.ts'
import { ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { getSupportContext } from './contract.ts'

/** A summary for support: plan, subscription, customer and the latest invoice. */
export const handler = serve(getSupportContext, async ({ caller, now }) => {
  const billing = await readBilling(caller.orgId)
  const { customerId } = billing
  const { plan, source } = planOf(billing, now)
  const copy = customerId === undefined ? undefined : await latestInvoice({ orgId: caller.orgId, customerId })
  const subscription = billing.projection?.subscription
  const context = {
    plan: plan.code,
    plan_source: source,
    subscription_status: subscription?.status ?? null,
    subscription_id: subscription?.id ?? null,
    interval: subscription?.interval ?? null,
    customer_id: customerId ?? null,
    latest_invoice: copy?.value ?? null,
    cached_at: copy?.cachedAt.toISOString() ?? null,
    stale: copy?.stale ?? false,
  }
  return { ...ok(context), ...(copy ? { headers: ageHeader(copy) } : {}) }
})
