/**
 * The user pool's trigger before it issues tokens. It adds a claim to the ID token when the sign-in used a second
 * factor.
 *
 * Cognito does not pass the answered challenges to the trigger, so the trigger infers them. While an authenticator is
 * active, Cognito asks for its code at every sign-in (API reference, SoftwareTokenMfaSettingsType). The pool remembers
 * no devices. So only the tokens of a sign-in get the claim. Refreshed tokens do not: their session can be older than
 * the authenticator.
 */
import { AdminGetUserCommand, CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider'
import type { PreTokenGenerationTriggerEvent } from 'aws-lambda'
import { secondFactorClaim, totpFactor } from '../auth/second-factor.ts'
import { lazy } from '../lazy.ts'
import { awsClientSettings } from '../runtime/aws-client.ts'
import { log } from '../runtime/log.ts'

/** Cognito gives a trigger 5 seconds. */
const budgetMs = 3500
const signInSource = 'TokenGeneration_Authentication'
const authenticator = 'SOFTWARE_TOKEN_MFA'

const cognito = lazy(() => new CognitoIdentityProviderClient(awsClientSettings))

/** The event. Its response contains the claim if the sign-in used a second factor. */
export async function addSecondFactor(event: PreTokenGenerationTriggerEvent): Promise<PreTokenGenerationTriggerEvent> {
  if (event.triggerSource !== signInSource || !(await hasAuthenticator(event))) return event
  const claimsToAddOrOverride = { [secondFactorClaim]: totpFactor }
  return { ...event, response: { claimsOverrideDetails: { claimsToAddOrOverride } } }
}

/** A failure proves no factor. It must not throw, since Cognito would refuse every sign-in. */
async function hasAuthenticator({ userPoolId, userName }: PreTokenGenerationTriggerEvent): Promise<boolean> {
  try {
    const user = await cognito().send(new AdminGetUserCommand({ UserPoolId: userPoolId, Username: userName }), {
      abortSignal: AbortSignal.timeout(budgetMs),
    })
    return user.UserMFASettingList?.includes(authenticator) ?? false
  } catch (error) {
    log.error('could not look up the second factor of a sign-in', { error: error as Error })
    return false
  }
}
