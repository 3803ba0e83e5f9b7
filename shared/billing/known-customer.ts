/** Whether Stripe still has a customer. Deleted and unknown customers are different cases. */
import type Stripe from 'stripe'
import { ProblemError } from '../problem.ts'
import { log } from '../runtime/log.ts'
import { isMissing } from '../stripe/client.ts'

/**
 * Whether Stripe has deleted the customer. An unknown customer belongs to another account or mode: a configuration
 * error, which says nothing about the customer.
 *
 * @throws ProblemError `service_unavailable` when Stripe does not know the customer
 */
export async function isDeletedCustomer(stripe: Stripe, customerId: string): Promise<boolean> {
  try {
    const { deleted = false } = await stripe.customers.retrieve(customerId)
    return deleted
  } catch (error) {
    if (!isMissing(error)) throw error
    log.error('Stripe does not know a bound customer: the key belongs to another account or mode', {
      customer_id: customerId,
    })
    throw new ProblemError(
      'service_unavailable',
      `Stripe does not know the customer ${customerId}. The key of this deployment belongs to another account or mode. Restore the right key.`,
      { headers: { 'retry-after': '60' }, cause: error },
    )
  }
}
