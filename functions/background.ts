/**
 * Every function that is no operation of the API: what a rule, a schedule or the user pool starts. As in `operations.ts`, the
 * name of an entry is the file of its handler.
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
