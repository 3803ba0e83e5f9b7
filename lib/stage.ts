/**
 * What differs from stage to stage, in one place. A stage is chosen with `-c stage=<name>`; the other `-c` values set
 * what a stage cannot know of itself. Each is checked here, so that a mistake is told at synth and not by a deploy.
 */
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { type SignInProvider, signInProviders } from '../shared/org-auth/record.ts'
import { differentialFault } from '../shared/outbound/written-url.ts'
import { readAlarmEmail } from './alarm-email.ts'
import { type CustomDomain, readCustomDomain } from './custom-domain.ts'
import { type OutboundSettings, readOutboundSettings } from './outbound-settings.ts'
import { StageSettingsError } from './stage-error.ts'

export interface OidcSettings {
  issuer: string
  audience: string
  /** Where it is not what the issuer's discovery document says. */
  jwksUri?: string
  orgClaim: string
  roleClaim: string
}

/** What a stage knows of Stripe beside the secret, which is filled in after the deploy. */
export interface StripeSettings {
  /** The Secrets Manager secret that holds Stripe's; without it one is made, to be filled after the deploy. */
  secretArn?: string
  /** The partner event source whose events are taken beside the webhook's. */
  partnerSource?: string
  /** The account that events of connected accounts must be of. */
  account?: string
  /** Where Stripe's API is when it is not Stripe's: on loopback, for tests of a deploy. */
  apiUrl?: string
}

export interface StageSettings extends OutboundSettings {
  stage: string
  /** Whether data outlives the stacks: retained on removal and protected from deletion. */
  retainData: boolean
  logRetention: RetentionDays
  /** Of the whole API, in requests per second; each principal has a limit of its own beside it. */
  throttle: { rateLimit: number; burstLimit: number }
  /** Origins of dashboards that browsers may call from. */
  corsOrigins: readonly string[]
  /** Whether the stage gets a user pool of its own, since it names no issuer. */
  makesUserPool: boolean
  /** The API's name beside that which AWS gives it. */
  customDomain: CustomDomain | undefined
  /** Who is told of alarms. */
  alarmEmail: string | undefined
  /** Whose tokens people sign in with, once the user pool is made where it is; without it only API keys work. */
  oidc: OidcSettings | undefined
  stripe: StripeSettings
  /** Which of google, apple and github the deployment has credentials for; organizations only read this. */
  signInProviders: readonly SignInProvider[]
  /** Whether owners may put their organization on any plan, whatever it pays. */
  billingOverride: boolean
}

type StageDefaults = Pick<StageSettings, 'retainData' | 'logRetention' | 'throttle'>

/** Stages of other names, such as one of a developer's own, are like `dev`. */
const dev: StageDefaults = {
  retainData: false,
  logRetention: RetentionDays.ONE_WEEK,
  throttle: { rateLimit: 100, burstLimit: 200 },
}
const prod: StageDefaults = {
  retainData: true,
  logRetention: RetentionDays.ONE_YEAR,
  throttle: { rateLimit: 2000, burstLimit: 4000 },
}

export const isStage = (name: string): boolean => /^[a-z][a-z0-9-]{0,19}$/.test(name)
export const stageRule = 'a stage is 1 to 20 characters of a-z 0-9 -, and starts with a letter'

/** Reads the settings from CDK context. */
export function readStageSettings(context: (name: string) => unknown): StageSettings {
  const text = (name: string): string | undefined => {
    const value = context(name)
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const stage = text('stage') ?? 'dev'
  if (!isStage(stage)) throw new StageSettingsError(`-c stage=${stage}: ${stageRule}`)
  return {
    stage,
    ...(stage === 'prod' ? prod : dev),
    makesUserPool: text('oidc_issuer') === undefined,
    customDomain: readCustomDomain(text),
    alarmEmail: readAlarmEmail(text('alarm_email')),
    corsOrigins: readOrigins(text('cors_origins')),
    oidc: readOidc(text),
    signInProviders: readSignInProviders(text('sign_in_providers')),
    ...readOutboundSettings(text),
    stripe: readStripe(text),
    billingOverride: readSwitch('billing_override', text('billing_override')) ?? stage !== 'prod',
  }
}

function readSwitch(name: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined
  if (value !== 'on' && value !== 'off') throw new StageSettingsError(`-c ${name}=${value}: must be on or off`)
  return value === 'on'
}

/** IAM needs the whole of it, with the six characters that Secrets Manager has added to the name. */
const secretArnPattern = /^arn:aws[\w-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+-[A-Za-z0-9]{6}$/

function readStripe(text: (name: string) => string | undefined): StripeSettings {
  const secretArn = text('stripe_secret_arn')
  const partnerSource = text('stripe_partner_source')
  const account = text('stripe_account')
  const apiUrl = text('stripe_api_url')
  if (secretArn !== undefined && !secretArnPattern.test(secretArn)) {
    throw new StageSettingsError(
      `-c stripe_secret_arn=${secretArn}: must be the whole ARN of a Secrets Manager secret, with the six characters at its end`,
    )
  }
  if (partnerSource !== undefined && !/^aws\.partner\/stripe\.com\/ed_\w+$/.test(partnerSource)) {
    throw new StageSettingsError(
      `-c stripe_partner_source=${partnerSource}: must be the name of the event source, aws.partner/stripe.com/ed_…`,
    )
  }
  if (account !== undefined && !/^acct_\w+$/.test(account)) {
    throw new StageSettingsError(`-c stripe_account=${account}: must be the id of an account, acct_…`)
  }
  if (apiUrl !== undefined && !isLoopback(apiUrl)) {
    throw new StageSettingsError(
      `-c stripe_api_url=${apiUrl}: only a double of Stripe on loopback, for tests of a deploy; leave it out otherwise`,
    )
  }
  return {
    ...(secretArn ? { secretArn } : {}),
    ...(partnerSource ? { partnerSource } : {}),
    ...(account ? { account } : {}),
    ...(apiUrl ? { apiUrl } : {}),
  }
}

function readOrigins(list: string | undefined): string[] {
  const origins = list === undefined ? [] : list.split(',').map((origin) => origin.trim())
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new StageSettingsError(
        `-c cors_origins=${list}: ${origin} is not an origin like https://dashboard.example.com (no path, no slash at the end)`,
      )
    }
  }
  return origins
}

function readSignInProviders(list: string | undefined): SignInProvider[] {
  const named = list === undefined ? [] : list.split(',').map((provider) => provider.trim())
  const unknown = named.filter((provider) => !(signInProviders as readonly string[]).includes(provider))
  if (unknown.length > 0) {
    throw new StageSettingsError(
      `-c sign_in_providers=${list}: ${unknown.join(', ')} is not one of ${signInProviders.join(', ')}`,
    )
  }
  return signInProviders.filter((provider) => named.includes(provider))
}

/** The issuer of a stage where only API keys work. */
const noIssuer = 'none'

function readOidc(text: (name: string) => string | undefined): OidcSettings | undefined {
  const issuer = text('oidc_issuer')
  const audience = text('oidc_audience')
  const jwksUri = text('oidc_jwks_uri')
  if (!issuer || issuer === noIssuer) {
    for (const name of ['oidc_audience', 'oidc_jwks_uri', 'oidc_org_claim', 'oidc_role_claim']) {
      if (text(name)) throw new StageSettingsError(`-c ${name} is of no use without -c oidc_issuer=<URL>`)
    }
    return undefined
  }
  if (!audience) {
    throw new StageSettingsError(
      '-c oidc_issuer needs -c oidc_audience=<client id>: tokens for other clients must not pass',
    )
  }
  for (const [name, url] of [
    ['oidc_issuer', issuer],
    ['oidc_jwks_uri', jwksUri],
  ] as const) {
    if (url !== undefined && !isSafeUrl(url)) {
      throw new StageSettingsError(`-c ${name}=${url}: must be an https URL (http only on loopback)`)
    }
  }
  return {
    issuer,
    audience,
    ...(jwksUri ? { jwksUri } : {}),
    orgClaim: text('oidc_org_claim') ?? 'org_id',
    roleClaim: text('oidc_role_claim') ?? 'role',
  }
}

/** Keys fetched over plain http could be anybody's; on loopback there is nobody else. */
const isSafeUrl = (url: string): boolean =>
  differentialFault(url) === undefined && (new URL(url).protocol === 'https:' || isLoopback(url))

function isLoopback(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)
}

/** The name of a stack, for people and for scripts that read its outputs. */
export const stackName = (stage: string, part: string): string => `OctomilSettings-${stage}-${part}`

/** Outputs that scripts read. */
export const outputNames = {
  userPoolId: 'UserPoolId',
  userPoolClientId: 'UserPoolClientId',
  signInIssuer: 'SignInIssuer',
  tableName: 'TableName',
  apiUrl: 'ApiUrl',
  docsUrl: 'DocsUrl',
  secretsKeyArn: 'SecretsKeyArn',
  stripeSecretArn: 'StripeSecretArn',
  alarmTopicArn: 'AlarmTopicArn',
  eventBusName: 'EventBusName',
  projectDeadLettersUrl: 'ProjectDeadLettersUrl',
  sweepDeadLettersUrl: 'SweepDeadLettersUrl',
} as const
