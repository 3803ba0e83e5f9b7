/** The Stripe customer of an org: created once, bound once, and replaced only after Stripe deleted it. */
import type Stripe from 'stripe'
import type { RequestContext } from '../audit/request-context.ts'
import { findOrg } from '../orgs/record.ts'
import { log } from '../runtime/log.ts'
import { commit, StaleReadError } from '../storage/commit.ts'
import { customerBound } from './bind-customer.ts'
import { isDeletedCustomer } from './known-customer.ts'
import type { BillingPorts } from './ports.ts'
import { readBilling } from './rows.ts'

/** The request that binds the customer, and the deadline for it. */
export interface Binding {
  context: RequestContext
  deadline: Date
}

/** A caller that loses a race finds the winner's customer in the next round. */
const maxRounds = 4

/** The org's customer. Creates and binds one if there is none, or if Stripe has deleted it. */
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
 * Creates one customer per org and binding, even if this runs several times: Stripe returns the same customer for the
 * same idempotency key. So the parameters must be the same every time.
 */
function createCustomer(orgId: string, replaced: string | undefined, { callStripe }: BillingPorts): Promise<string> {
  const params: Stripe.CustomerCreateParams = {
    description: `Organization ${orgId}`,
    metadata: { org_id: orgId, ...(replaced ? { replaces: replaced } : {}) },
  }
  const idempotencyKey = `octomil:customer:${orgId}:${replaced ?? 'first'}`
  return callStripe(async (stripe) => (await stripe.customers.create(params, { idempotencyKey })).id)
}

/** Names the customer for people who use Stripe's dashboard. A failure does not fail the checkout. */
async function nameCustomer(orgId: string, customerId: string, { callStripe }: BillingPorts): Promise<void> {
  try {
    const org = await findOrg(orgId)
    if (!org) return
    const { name, owner_email: email } = org
    await callStripe((stripe) =>
      stripe.customers.update(customerId, { name, email }, { idempotencyKey: `octomil:name:${customerId}` }),
    )
  } catch (error) {
    log.warn('could not name a Stripe customer', { org_id: orgId, error: error as Error })
  }
}
