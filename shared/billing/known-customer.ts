/** Whether Stripe still has a customer. "Deleted" and "never heard of" are different answers. */
import type Stripe from 'stripe'
import { ProblemError } from '../problem.ts'
import { log } from '../runtime/log.ts'
import { isMissing } from '../stripe/client.ts'

/**
 * Whether Stripe says that the customer was deleted. A customer that Stripe does not know belongs to another account or
 * mode: that is a fault of the configuration, and says nothing about the customer.
 *
 * @throws ProblemError `service_unavailable` when Stripe does not know the customer
 */
export async function isDeletedCustomer(stripe: Stripe, customerId: string): Promise<boolean> {
  try {
    const { deleted = false } = await stripe.customers.retrieve(customerId)
    return deleted
  } catch (error) {
    if (!isMissing(error)) throw error
    log.error('Stripe does not know a bound customer: the key is of another account or mode', {
      customer_id: customerId,
    })
    throw new ProblemError(
      'service_unavailable',
      `Stripe does not know the customer ${customerId}. The key of this deployment belongs to another account or mode: put the right key back.`,
      { headers: { 'retry-after': '60' }, cause: error },
    )
  }
}
