import { inBackground } from '../../shared/runtime/background.ts'
import { project } from '../../shared/stripe-events/project.ts'
import { projectStripeEvent } from './contract.ts'

/** Target of the rule: brings up to date the customer that an event of Stripe is about. */
export const handler = inBackground(projectStripeEvent, (envelope, run) => project(envelope, run))
