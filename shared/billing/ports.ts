/** The side effects of billing outside the table (its client is `table()`). A simulation replaces them. */
import type Stripe from 'stripe'
import { realTiming, type Timing } from '../runtime/timing.ts'
import { requireSameAccount } from '../stripe/account.ts'
import { callStripe } from '../stripe/client.ts'

export interface BillingPorts {
  timing: Timing
  callStripe<T>(calls: (stripe: Stripe) => Promise<T>): Promise<T>
}

export const realPorts: BillingPorts = {
  timing: realTiming,
  callStripe: (calls) =>
    callStripe(async (stripe) => {
      await requireSameAccount(stripe)
      return calls(stripe)
    }),
}
