import { inBackground } from '../../shared/runtime/background.ts'
import { sweepAsAsked } from '../../shared/stripe-events/sweep.ts'
import { sweepBilling } from './contract.ts'

/** Target of the schedule: finds changes that no event reported, and applies them. */
export const handler = inBackground(sweepBilling, sweepAsAsked)
