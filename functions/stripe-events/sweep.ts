import { inBackground } from '../../shared/runtime/background.ts'
import { sweepAsAsked } from '../../shared/stripe-events/sweep.ts'
import { sweepBilling } from './contract.ts'

/** Target of the schedule: finds what events have not brought, and corrects it. */
export const handler = inBackground(sweepBilling, sweepAsAsked)
