/**
 * The settings of a stage: its options (`stage-options.ts`) with defaults, checked for consistency. A mistake fails at synth, before
 * the deploy.
 */
import type { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { defaultThrottles } from '../functions/throttles.ts'
import { type SignInProvider, signInProviders } from '../shared/org-auth/record.ts'
import { type CustomDomain, readCustomDomain } from './custom-domain-settings.ts'
import { type OutboundSettings, readOutboundSettings } from './outbound-settings.ts'
import { StageSettingsError } from './stage-error.ts'
import { noIssuer, type StageValues } from './stage-options.ts'
import { GivenOptions, type StageFile } from './stage-values.ts'

export interface OidcSettings {
  issuer: string
  audience: string
  /** Overrides the issuer's discovery document. */
  jwksUri?: string
  orgClaim: string
  roleClaim: string
}

/** Stripe settings of a stage, without the secret's value, which an operator fills in after the deploy. */
export interface StripeSettings {
  /** Secrets Manager secret with Stripe's keys. Default: a new empty secret. */
  secretArn?: string
  /** KMS key of the secret, if customer-managed. */
  secretKeyArn?: string
  /** Partner event source to accept in addition to the webhook. */
  partnerSource?: string
  /** Connected account whose events are accepted. */
  account?: string
  /** Stripe double on loopback, for deploy tests. */
  apiUrl?: string
}

/** VPC of the functions with outbound calls. */
export interface VpcSettings {
  id: string
  subnetIds: readonly string[]
  securityGroupIds: readonly string[]
  /** Route tables that get a gateway endpoint for the table. */
  routeTableIds: readonly string[]
}

/** CloudFront and a WAF in front of the API. */
export interface FrontSettings {
  /** Per address. */
  requestsPerFiveMinutes: number
  /** The operator's web ACL. Default: the stack creates one. */
  webAclArn: string | undefined
  /** Whether functions refuse requests that did not come through it. */
  isOnlyWay: boolean
  /** Of the secret that it adds to requests; undefined: the current one. */
  secretVersion: string | undefined
}

export interface StageSettings extends OutboundSettings {
  stage: string
  /** Whether the stage is protected: its data outlives the stacks, and no stack can be deleted by mistake. */
  retainData: boolean
  /** In days. */
  logRetention: RetentionDays
  /** Throttle per route, in requests per second. Each principal also has a rate limit. */
  throttle: { rateLimit: number; burstLimit: number }
  /** Dashboard origins that browsers may call from. */
  corsOrigins: readonly string[]
  /** Whether the stage gets a user pool: it names no issuer. */
  makesUserPool: boolean
  /** Custom domain of the API. */
  customDomain: CustomDomain | undefined
  alarmEmail: string | undefined
  monthlyBudgetUsd: number | undefined
  /** Lambda concurrency of the account in the region. */
  lambdaConcurrency: number
  /** Issuer of people's tokens; with a user pool, known after its creation. Without an issuer only API keys work. */
  oidc: OidcSettings | undefined
  stripe: StripeSettings
  /** Sign-in providers (google, apple, github) for which the deployment has credentials. Read-only for organizations. */
  signInProviders: readonly SignInProvider[]
  /** Whether owners may override their organization's plan. */
  billingOverride: boolean
  /** Whether the stage has a bucket and CloudFront for the script of the reference. */
  web: boolean
  vpc: VpcSettings | undefined
  front: FrontSettings | undefined
  /** The stage has, or had, a front. Its secret goes a deploy later than the front, since deployed functions import it. */
  hasFrontSecret: boolean
  /** Where a daily backup of the table is copied to. */
  backupCopyVaultArn: string | undefined
  /** Existing key to use instead of a new one. */
  secretsKeyArn: string | undefined
  /** The only role that may delete or disable the key of customers' secrets. */
  keyAdminRoleArn: string | undefined
  /** The given options, so that the next deploy can list those that disappear. */
  given: StageValues
}

type StageDefaults = Pick<StageSettings, 'retainData' | 'logRetention'>

const defaults: Record<'disposable' | 'protected', StageDefaults> = {
  disposable: { retainData: false, logRetention: 7 },
  protected: { retainData: true, logRetention: 365 },
}

/** Stages that are disposable by name: `dev`, and a personal one, `dev-anna`. */
const isDisposableName = (stage: string): boolean => /^dev(-|$)/.test(stage)

export const isStage = (name: string): boolean => /^[a-z][a-z0-9-]{0,19}$/.test(name)
export const stageRule = 'a stage is 1 to 20 characters of a-z 0-9 -, and starts with a letter'

/** @throws StageSettingsError for an invalid stage name */
export function stageNameOf(context: (name: string) => unknown): string {
  const stage = context('stage') || 'dev'
  if (typeof stage === 'string' && isStage(stage)) return stage
  throw new StageSettingsError(`-c stage=${stage}: ${stageRule}`)
}

/**
 * Reads the settings from CDK context and the stage's file, if any.
 *
 * @throws StageSettingsError naming the option, its source and the fix
 */
export function readStageSettings(context: (name: string) => unknown, file?: StageFile): StageSettings {
  const stage = stageNameOf(context)
  const given = new GivenOptions(context, file)
  const { values } = given
  const posture = values.posture ?? (isDisposableName(stage) ? 'disposable' : 'protected')
  const rateLimit = values.throttle_rate ?? defaultThrottles[posture].rateLimit
  given.requireWith('alarm_email', ['monthly_budget_usd'])
  return {
    stage,
    ...defaults[posture],
    throttle: { rateLimit, burstLimit: values.throttle_burst ?? Math.min(5000, 2 * rateLimit) },
    makesUserPool: values.oidc_issuer === undefined,
    customDomain: readCustomDomain(given),
    alarmEmail: values.alarm_email,
    monthlyBudgetUsd: values.monthly_budget_usd,
    lambdaConcurrency: values.lambda_concurrency ?? 1000,
    corsOrigins: values.cors_origins ?? [],
    oidc: readOidc(given),
    signInProviders: signInProviders.filter((provider) => values.sign_in_providers?.includes(provider)),
    ...readOutboundSettings(given),
    stripe: readStripe(given),
    billingOverride: values.billing_override ?? posture === 'disposable',
    web: values.web ?? true,
    vpc: readVpc(given),
    front: readFront(given),
    hasFrontSecret: values.front !== undefined,
    backupCopyVaultArn: values.backup_copy_vault_arn,
    secretsKeyArn: values.secrets_key_arn,
    keyAdminRoleArn: readKeyAdmin(given, posture),
    given: values,
  }
}

function readStripe(given: GivenOptions): StripeSettings {
  const { stripe_secret_arn, stripe_secret_key_arn, stripe_partner_source, stripe_account, stripe_api_url } =
    given.values
  given.requireWith('stripe_secret_arn', ['stripe_secret_key_arn'])
  return {
    ...(stripe_secret_arn ? { secretArn: stripe_secret_arn } : {}),
    ...(stripe_secret_key_arn ? { secretKeyArn: stripe_secret_key_arn } : {}),
    ...(stripe_partner_source ? { partnerSource: stripe_partner_source } : {}),
    ...(stripe_account ? { account: stripe_account } : {}),
    ...(stripe_api_url ? { apiUrl: stripe_api_url } : {}),
  }
}

const issuerOptions = ['oidc_audience', 'oidc_jwks_uri', 'oidc_org_claim', 'oidc_role_claim'] as const

function readOidc(given: GivenOptions): OidcSettings | undefined {
  const { oidc_issuer: issuer, oidc_audience: audience, oidc_jwks_uri, oidc_org_claim, oidc_role_claim } = given.values
  given.requireWith('oidc_issuer', issuerOptions)
  if (issuer === noIssuer) {
    const useless = issuerOptions.find((name) => given.values[name] !== undefined)
    if (useless) given.refuse(useless, `has no effect with oidc_issuer=${noIssuer}; remove it`)
  }
  if (issuer === undefined || issuer === noIssuer) return undefined
  if (audience === undefined)
    given.refuse('oidc_issuer', 'needs oidc_audience=<client id>, so that tokens of other clients are refused')
  return {
    issuer,
    audience,
    ...(oidc_jwks_uri ? { jwksUri: oidc_jwks_uri } : {}),
    orgClaim: oidc_org_claim ?? 'org_id',
    roleClaim: oidc_role_claim ?? 'role',
  }
}

function readVpc(given: GivenOptions): VpcSettings | undefined {
  const { vpc_id: id, subnet_ids, security_group_ids, route_table_ids = [] } = given.values
  given.requireWith('vpc_id', ['subnet_ids', 'security_group_ids', 'route_table_ids'])
  if (id === undefined) return undefined
  if (!subnet_ids || subnet_ids.length < 2)
    given.refuse('vpc_id', 'needs subnet_ids: private subnets in two zones or more')
  if (!security_group_ids?.length) given.refuse('vpc_id', 'needs security_group_ids')
  return { id, subnetIds: subnet_ids, securityGroupIds: security_group_ids, routeTableIds: route_table_ids }
}

/** In a disposable stage, CloudFormation itself must be able to delete the key. */
function readKeyAdmin(given: GivenOptions, posture: 'disposable' | 'protected'): string | undefined {
  const role = given.values.key_admin_role_arn
  if (role !== undefined && posture === 'disposable')
    given.refuse('key_admin_role_arn', 'has no place in a disposable stage, whose key goes with it; remove it')
  return role
}

const defaultFrontRequests = 3000

function readFront(given: GivenOptions): FrontSettings | undefined {
  const { front, front_requests_per_five_minutes, front_web_acl_arn, close_api_address, front_secret_version } =
    given.values
  given.requireWith('front', [
    ...(['front_requests_per_five_minutes', 'front_web_acl_arn', 'front_certificate_arn'] as const),
    ...(['close_api_address', 'front_secret_version'] as const),
  ])
  if (!front) return undefined
  const requestsPerFiveMinutes = front_requests_per_five_minutes ?? defaultFrontRequests
  if (requestsPerFiveMinutes < 10) given.refuse('front_requests_per_five_minutes', 'must be 10 or more')
  return {
    requestsPerFiveMinutes,
    webAclArn: front_web_acl_arn,
    isOnlyWay: close_api_address ?? false,
    secretVersion: front_secret_version,
  }
}

/** The name of a stack, for people and for scripts that read its outputs. */
export const stackName = (stage: string, part: string): string => `OctomilSettings-${stage}-${part}`

/** The stacks of a stage, in the order of a deploy. */
export const stackParts = [
  'Storage',
  'Identity',
  'Events',
  'WebBucket',
  'Web',
  'Delivery',
  'Functions',
  'Api',
  'Monitoring',
] as const

/** Metadata key of the deployed options in the Api stack's template. */
export const givenOptionsKey = 'octomil:options'

/** Outputs that scripts read. */
export const outputNames = {
  userPoolId: 'UserPoolId',
  userPoolClientId: 'UserPoolClientId',
  signInIssuer: 'SignInIssuer',
  tableName: 'TableName',
  apiUrl: 'ApiUrl',
  docsUrl: 'DocsUrl',
  commit: 'Commit',
  optionsDigest: 'OptionsDigest',
  secretsKeyArn: 'SecretsKeyArn',
  auditKeyArn: 'AuditKeyArn',
  stripeSecretArn: 'StripeSecretArn',
  alarmTopicArn: 'AlarmTopicArn',
  eventBusName: 'EventBusName',
  projectDeadLettersUrl: 'ProjectDeadLettersUrl',
  sweepDeadLettersUrl: 'SweepDeadLettersUrl',
  deliveryQueueUrl: 'DeliveryQueueUrl',
  deliveryDeadLettersUrl: 'DeliveryDeadLettersUrl',
} as const
