/**
 * Where people sign in when a stage names no issuer of its own: a Cognito user pool whose ID tokens say which
 * organization somebody belongs to and in which role. Only an operator adds people and says so of them.
 */
import { type App, CfnOutput, Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
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
import { type OidcSettings, outputNames, type StageSettings, stackName } from './stage.ts'
import { addTokenTrigger } from './token-trigger.ts'
import { userAttributes } from './user-attributes.ts'

/** The stage's settings with who issues its tokens: what it names, or else a user pool that is made. */
export function withIdentity(app: App, settings: StageSettings): StageSettings {
  return settings.makesUserPool ? { ...settings, oidc: new IdentityStack(app, settings).oidc } : settings
}

export class IdentityStack extends Stack {
  /** What functions are told of the pool. */
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
      // What discovery would say, without asking it in a cold start.
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
        // For good: who works for two organizations has two addresses.
        org_id: new StringAttribute({ minLen: 30, maxLen: 30, mutable: false }),
        role: new StringAttribute({ minLen: 1, maxLen: 20, mutable: true }),
      },
      deletionProtection: retainData,
      // Deletion protection would refuse the roll-back of a first deploy.
      removalPolicy: retainData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    Validations.of(userPool).acknowledge({
      id: 'AwsSolutions-COG2',
      reason: 'Each organization decides whether a second factor is required (mfa_required), and the API enforces it.',
    })
    Validations.of(userPool).acknowledge({
      id: 'AwsSolutions-COG8',
      reason:
        'The Plus plan adds threat protection for more money per active user; nobody can sign up by themselves, and Cognito locks out who guesses passwords.',
    })
    return userPool
  }
}

/** The client of dashboards and of `npm run sign-in`: public, without a secret that a browser would have to keep. */
const appClient = (userPool: UserPool, stage: string): UserPoolClient =>
  userPool.addClient('Client', {
    userPoolClientName: `octomil-settings-${stage}`,
    generateSecret: false,
    // The first two for dashboards; the last is a call with AWS credentials, as `npm run sign-in` makes it.
    authFlows: { userSrp: true, user: true, adminUserPassword: true },
    disableOAuth: true,
    supportedIdentityProviders: [UserPoolClientIdentityProvider.COGNITO],
    preventUserExistenceErrors: true,
    enableTokenRevocation: true,
    idTokenValidity: Duration.hours(1),
    accessTokenValidity: Duration.hours(1),
    // The longest session that an organization can allow; a shorter one ends by auth_time.
    refreshTokenValidity: Duration.days(30),
    readAttributes: new ClientAttributes()
      .withStandardAttributes({ email: true, emailVerified: true, fullname: true })
      .withCustomAttributes('org_id', 'role'),
    // Said, because unsaid means all: people would write their own organization and role.
    writeAttributes: new ClientAttributes().withStandardAttributes({ fullname: true }),
  })
