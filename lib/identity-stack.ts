/**
 * The user pool of a stage without an issuer. Cognito's ID tokens contain a person's organization and role. Only an operator adds
 * people and sets these attributes.
 */
import { type App, CfnOutput, Duration, Stack, Validations } from 'aws-cdk-lib'
import {
  AccountRecovery,
  ClientAttributes,
  FeaturePlan,
  Mfa,
  StringAttribute,
  UserPool,
  type UserPoolClient,
  UserPoolClientIdentityProvider,
} from 'aws-cdk-lib/aws-cognito'
import type { Construct } from 'constructs'
import { undeletablePolicyOf } from './removal-policy.ts'
import { type OidcSettings, outputNames, type StageSettings, stackName } from './stage.ts'
import { addTokenTrigger } from './token-trigger.ts'
import { userAttributes } from './user-attributes.ts'

/** Adds the issuer to the stage's settings: the configured one, or a new user pool. */
export function withIdentity(app: App, settings: StageSettings): StageSettings {
  return settings.makesUserPool ? { ...settings, oidc: new IdentityStack(app, settings).oidc } : settings
}

export class IdentityStack extends Stack {
  /** Issuer settings of functions for this pool. */
  readonly oidc: OidcSettings

  constructor(scope: Construct, settings: StageSettings) {
    const { stage, retainData } = settings
    super(scope, stackName(stage, 'Identity'), { terminationProtection: retainData })
    const userPool = this.#userPool(stage, retainData)
    addTokenTrigger(this, userPool, settings)
    const client = appClient(userPool, stage)
    const issuer = `https://${userPool.userPoolProviderName}`
    this.oidc = {
      issuer,
      audience: client.userPoolClientId,
      // The value that discovery returns, without a request in a cold start.
      jwksUri: `${issuer}/.well-known/jwks.json`,
      orgClaim: userAttributes.org,
      roleClaim: userAttributes.role,
    }
    new CfnOutput(this, outputNames.userPoolId, { value: userPool.userPoolId })
    new CfnOutput(this, outputNames.userPoolClientId, { value: client.userPoolClientId })
    new CfnOutput(this, outputNames.signInIssuer, { value: issuer })
  }

  #userPool(stage: string, retainData: boolean): UserPool {
    const userPool = new UserPool(this, 'UserPool', {
      userPoolName: `octomil-settings-${stage}`,
      // The plan with choice-based sign-in, and with `amr` in tokens where Cognito has rolled it out.
      featurePlan: FeaturePlan.ESSENTIALS,
      selfSignUpEnabled: false,
      signInAliases: { email: true },
      signInCaseSensitive: false,
      accountRecovery: AccountRecovery.EMAIL_ONLY,
      passwordPolicy: {
        minLength: 12,
        requireLowercase: true,
        requireUppercase: true,
        requireDigits: true,
        requireSymbols: true,
        tempPasswordValidity: Duration.days(3),
      },
      mfa: Mfa.OPTIONAL,
      mfaSecondFactor: { sms: false, otp: true },
      customAttributes: {
        // Never changes: a person in two organizations has two addresses.
        org_id: new StringAttribute({ minLen: 30, maxLen: 30, mutable: false }),
        role: new StringAttribute({ minLen: 1, maxLen: 20, mutable: true }),
      },
      deletionProtection: retainData,
      removalPolicy: undeletablePolicyOf({ retainData }),
    })
    Validations.of(userPool).acknowledge({
      id: 'AwsSolutions-COG2',
      reason: 'Each organization decides whether a second factor is required (mfa_required), and the API enforces it.',
    })
    Validations.of(userPool).acknowledge({
      id: 'AwsSolutions-COG8',
      reason:
        'The Plus plan adds threat protection at a higher price per active user. People cannot sign up, and Cognito locks accounts after wrong passwords.',
    })
    return userPool
  }
}

/** The client of dashboards and of `npm run sign-in`: public, because a browser cannot keep a secret. */
const appClient = (userPool: UserPool, stage: string): UserPoolClient =>
  userPool.addClient('Client', {
    userPoolClientName: `octomil-settings-${stage}`,
    generateSecret: false,
    // The first two are for dashboards. The last needs AWS credentials and serves `npm run sign-in`.
    authFlows: { userSrp: true, user: true, adminUserPassword: true },
    disableOAuth: true,
    supportedIdentityProviders: [UserPoolClientIdentityProvider.COGNITO],
    preventUserExistenceErrors: true,
    enableTokenRevocation: true,
    idTokenValidity: Duration.hours(1),
    accessTokenValidity: Duration.hours(1),
    // The maximum session of an organization. auth_time limits shorter ones.
    refreshTokenValidity: Duration.days(30),
    readAttributes: new ClientAttributes()
      .withStandardAttributes({ email: true, emailVerified: true, fullname: true })
      .withCustomAttributes('org_id', 'role'),
    // Explicit, because the default allows all attributes: people could then change their organization and role.
    writeAttributes: new ClientAttributes().withStandardAttributes({ fullname: true }),
  })
