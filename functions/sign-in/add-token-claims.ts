import { addSecondFactor } from '../../shared/sign-in/token-claims.ts'

/** Cognito waits for the event that this returns, with the claims to add. */
export const handler = addSecondFactor
