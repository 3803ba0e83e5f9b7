/** Stripe's billing portal. */
import { ProblemError } from '../problem.ts'
import { isMissing } from '../stripe/client.ts'
import { isDeletedCustomer } from './known-customer.ts'
import { realPorts } from './ports.ts'

interface PortalWish {
  orgId: string
  customerId: string | undefined
  returnUrl: string
  requestId: string
}

/**
 * The URL of a new portal session.
 *
 * @throws ProblemError `conflict` when the org has no customer
 */
export async function openPortal({ orgId, customerId, returnUrl, requestId }: PortalWish): Promise<string> {
  if (customerId === undefined) throw noCustomer('This organization has no Stripe customer yet')
  const params = { customer: customerId, return_url: returnUrl }
  const idempotencyKey = `octomil:portal:${orgId}:${requestId}`
  return realPorts.callStripe(async (stripe) => {
    try {
      return (await stripe.billingPortal.sessions.create(params, { idempotencyKey })).url
    } catch (error) {
      if (!isMissing(error) || !(await isDeletedCustomer(stripe, customerId))) throw error
      throw noCustomer('Stripe has deleted the customer of this organization')
    }
  })
}

const noCustomer = (why: string) =>
  new ProblemError('conflict', `${why}. Start a checkout to create one.`, {
    published: 'billing_customer_not_found',
  })
