/**
 * Every background function: started by a rule, a schedule or the user pool, not by the API. As in `operations.ts`, an entry's name is
 * the file of its handler.
 */
import type { BackgroundFunction } from '../shared/runtime/background.ts'
import * as signIn from './sign-in/contract.ts'
import * as stripeEvents from './stripe-events/contract.ts'

export const backgroundFunctions = {
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
