/** The Stripe customer of an org: made once, bound once, replaced only when Stripe has deleted it. */
import type Stripe from 'stripe'
import type { RequestContext } from '../audit/request-context.ts'
import { findOrg } from '../orgs/record.ts'
import { log } from '../runtime/log.ts'
import { commit, StaleReadError } from '../storage/commit.ts'
import { customerBound } from './bind-customer.ts'
import { isDeletedCustomer } from './known-customer.ts'
import type { BillingPorts } from './ports.ts'
import { readBilling } from './rows.ts'

/** On whose behalf it is bound, and until when that may take. */
export interface Binding {
  context: RequestContext
  deadline: Date
}

/** Whoever loses a race finds the winner's customer in the next round. */
const maxRounds = 4

/** The customer that the org is bound to, made and bound when there is none, or when Stripe has deleted it. */
export async function ensureCustomer({ context, deadline }: Binding, ports: BillingPorts): Promise<string> {
  const { orgId } = context
  for (let round = 1; ; round++) {
    const billing = await readBilling(orgId)
    if (billing.customerId !== undefined && !(await isDeleted(billing.customerId, ports))) {
      return billing.customerId
    }
    const customerId = await createCustomer(orgId, billing.customerId, ports)
    try {
      await commit(customerBound(orgId, billing, customerId), context, deadline, ports.timing)
      await nameCustomer(orgId, customerId, ports)
      return customerId
    } catch (error) {
      if (!(error instanceof StaleReadError) || round === maxRounds) throw error
    }
  }
}

const isDeleted = (customerId: string, { callStripe }: BillingPorts): Promise<boolean> =>
  callStripe((stripe) => isDeletedCustomer(stripe, customerId))

/**
 * One customer per org and binding, however often this runs: whoever comes with the same key is given the same customer.
 * So nothing may be sent that could differ the next time.
 */
function createCustomer(orgId: string, replaced: string | undefined, { callStripe }: BillingPorts): Promise<string> {
  const params: Stripe.CustomerCreateParams = {
    description: `Organization ${orgId}`,
    metadata: { org_id: orgId, ...(replaced ? { replaces: replaced } : {}) },
  }
  const idempotencyKey = `octomil:customer:${orgId}:${replaced ?? 'first'}`
  return callStripe(async (stripe) => (await stripe.customers.create(params, { idempotencyKey })).id)
}

/** For people who look at the customer in Stripe; a checkout does not wait for it to succeed. */
async function nameCustomer(orgId: string, customerId: string, { callStripe }: BillingPorts): Promise<void> {
  try {
    const org = await findOrg(orgId)
    if (!org) return
    const { name, owner_email: email } = org
    await callStripe((stripe) =>
      stripe.customers.update(customerId, { name, email }, { idempotencyKey: `octomil:name:${customerId}` }),
    )
  } catch (error) {
    log.warn('the customer could not be named', { org_id: orgId, error: error as Error })
  }
}
