/** The user pool's trigger: which ID tokens say that a second factor took part in the sign-in. */
import { AdminGetUserCommand, CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider'
import type { PreTokenGenerationTriggerEvent } from 'aws-lambda'
import { beforeEach, expect, test } from 'vitest'
import { handler } from '../../../functions/sign-in/add-token-claims.ts'
import { provesSecondFactor } from '../../../shared/auth/second-factor.ts'
import { mockClientHere } from '../../support/mock-client.ts'

const cognito = mockClientHere(CognitoIdentityProviderClient)
beforeEach(() => cognito.reset())

const eventOf = (triggerSource: PreTokenGenerationTriggerEvent['triggerSource']): PreTokenGenerationTriggerEvent => ({
  version: '1',
  region: 'us-east-1',
  userPoolId: 'us-east-1_test',
  userName: 'a1b2c3d4-5678-90ab-cdef-1234567890ab',
  triggerSource,
  callerContext: { awsSdkVersion: 'unknown', clientId: 'client' },
  request: { userAttributes: {}, groupConfiguration: {}, clientMetadata: { second_factor: 'totp' } },
  response: { claimsOverrideDetails: {} },
})

const claimsAfter = async (triggerSource: PreTokenGenerationTriggerEvent['triggerSource']) =>
  (await handler(eventOf(triggerSource))).response.claimsOverrideDetails.claimsToAddOrOverride ?? {}

const withFactors = (...UserMFASettingList: string[]) =>
  cognito.on(AdminGetUserCommand).resolves({ UserMFASettingList })

test('a sign-in of a person with an active authenticator proves a second factor', async () => {
  withFactors('SOFTWARE_TOKEN_MFA')
  expect(provesSecondFactor(await claimsAfter('TokenGeneration_Authentication'))).toBe(true)
  expect(cognito.commandCalls(AdminGetUserCommand)[0]?.args[0].input).toEqual({
    UserPoolId: 'us-east-1_test',
    Username: 'a1b2c3d4-5678-90ab-cdef-1234567890ab',
  })
})

test.each([[[]], [['SMS_MFA']], [['EMAIL_OTP']]])(
  'a sign-in of a person with the factors %j proves none',
  async (factors) => {
    withFactors(...factors)
    expect(await claimsAfter('TokenGeneration_Authentication')).toEqual({})
  },
)

test.each([
  'TokenGeneration_RefreshTokens',
  'TokenGeneration_NewPasswordChallenge',
  'TokenGeneration_AuthenticateDevice',
  'TokenGeneration_HostedAuth',
] as const)('%s proves none: no code may have been asked for', async (source) => {
  withFactors('SOFTWARE_TOKEN_MFA')
  expect(await claimsAfter(source)).toEqual({})
})

test('a failure of the pool proves none, and does not end the sign-in', async () => {
  cognito.on(AdminGetUserCommand).rejects(new Error('a fault of the test'))
  const event = eventOf('TokenGeneration_Authentication')
  expect(await handler(event)).toEqual(event)
})
