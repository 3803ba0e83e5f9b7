/**
 * Every background function: started by a rule, a schedule, the user pool, the table's stream or a queue, not by the API. As in `operations.ts`, an entry's name is
 * the file of its handler.
 */
import type { BackgroundFunction } from '../shared/runtime/background.ts'
import * as auditEvents from './audit-events/contract.ts'
import * as integrations from './integrations/contract.ts'
import * as signIn from './sign-in/contract.ts'
import * as stripeEvents from './stripe-events/contract.ts'

export const backgroundFunctions = {
  'audit-events/seal': auditEvents.sealAuditEvents,
  'integrations/route': integrations.routeEvents,
  'integrations/send': integrations.sendDeliveries,
  'sign-in/add-token-claims': signIn.addTokenClaims,
  'stripe-events/project': stripeEvents.projectStripeEvent,
  'stripe-events/sweep': stripeEvents.sweepBilling,
} as const satisfies Record<`${string}/${string}`, BackgroundFunction>

export type BackgroundName = keyof typeof backgroundFunctions

/** The background functions with their names, as a list. */
export const backgroundList = Object.entries(backgroundFunctions) as unknown as readonly [
  BackgroundName,
  BackgroundFunction,
][]
