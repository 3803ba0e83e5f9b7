/**
 * The user pool's trigger before it issues tokens: it adds to the ID token that a second factor took part in the sign-in.
 *
 * Cognito does not tell the trigger which challenges were answered. The trigger infers it: while an authenticator is active,
 * Cognito asks for its code at every sign-in (API reference, SoftwareTokenMfaSettingsType), and the pool remembers no devices.
 * So the claim is added to the tokens of a sign-in only. Refreshed tokens do not get it: their session may be older than the
 * authenticator.
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

/** The event, with the claim in its response where a second factor took part. */
export async function addSecondFactor(event: PreTokenGenerationTriggerEvent): Promise<PreTokenGenerationTriggerEvent> {
  if (event.triggerSource !== signInSource || !(await hasAuthenticator(event))) return event
  const claimsToAddOrOverride = { [secondFactorClaim]: totpFactor }
  return { ...event, response: { claimsOverrideDetails: { claimsToAddOrOverride } } }
}

/** A failure proves no factor. It must not throw: Cognito would refuse everyone's sign-in. */
async function hasAuthenticator({ userPoolId, userName }: PreTokenGenerationTriggerEvent): Promise<boolean> {
  try {
    const user = await cognito().send(new AdminGetUserCommand({ UserPoolId: userPoolId, Username: userName }), {
      abortSignal: AbortSignal.timeout(budgetMs),
    })
    return user.UserMFASettingList?.includes(authenticator) ?? false
  } catch (error) {
    log.error('the second factor of a sign-in could not be looked up', { error: error as Error })
    return false
  }
}
