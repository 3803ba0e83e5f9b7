/** All that billing does to the world beside the table, whose client is `table()`; a simulation has its own. */
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
