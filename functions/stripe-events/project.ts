import { inBackground } from '../../shared/runtime/background.ts'
import { project } from '../../shared/stripe-events/project.ts'
import { projectStripeEvent } from './contract.ts'

/** Target of the rule: syncs the customer of a Stripe event. */
export const handler = inBackground(projectStripeEvent, (envelope, run) => project(envelope, run))
