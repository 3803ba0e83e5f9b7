/**
 * Environment variables of the functions: their names, which the stacks use too, and the only code that reads them. AWS
 * endpoints come from the SDK's own `AWS_ENDPOINT_URL_*`.
 */

export const environmentNames = {
  stage: 'STAGE',
  tableName: 'TABLE_NAME',
  serviceVersion: 'SERVICE_VERSION',
  /** Only for the health function: each commit changes this variable, which redeploys each function that has it. */
  commit: 'COMMIT',
  secretsKeyId: 'SECRETS_KEY_ID',
  /** The asymmetric key that signs the audit trail. */
  auditKeyId: 'AUDIT_KEY_ID',
  signInProviders: 'SIGN_IN_PROVIDERS',
  /** The address that mail of integrations comes from. Unset: the stage sends no mail. */
  mailSender: 'MAIL_SENDER',
  outboundAllowedCidrs: 'OUTBOUND_ALLOWED_CIDRS',
  providerBaseUrls: 'PROVIDER_BASE_URLS',
  localRuntimeUrl: 'LOCAL_RUNTIME_URL',
  localRuntime: 'LOCAL_RUNTIME',
  oidcIssuer: 'OIDC_ISSUER',
  oidcAudience: 'OIDC_AUDIENCE',
  oidcJwksUri: 'OIDC_JWKS_URI',
  oidcOrgClaim: 'OIDC_ORG_CLAIM',
  oidcRoleClaim: 'OIDC_ROLE_CLAIM',
  /** Stripe's secrets (webhook secrets separated by commas), or the Secrets Manager secret that holds them. */
  stripeSecretKey: 'STRIPE_SECRET_KEY',
  stripeWebhookSecret: 'STRIPE_WEBHOOK_SECRET',
  stripeSecretArn: 'STRIPE_SECRET_ARN',
  /** The URL of a replacement for Stripe's API. */
  stripeApiUrl: 'STRIPE_API_URL',
  /** The Stripe account of partner events. */
  stripeAccount: 'STRIPE_ACCOUNT',
  /** The partner event source that is accepted besides our own webhook. */
  stripePartnerSource: 'STRIPE_PARTNER_SOURCE',
  /** The script of the reference page: its URL, and its digest as in an `integrity` attribute. */
  referenceScriptUrl: 'REFERENCE_SCRIPT_URL',
  referenceScriptIntegrity: 'REFERENCE_SCRIPT_INTEGRITY',
  dashboardOrigins: 'DASHBOARD_ORIGINS',
  eventBusName: 'EVENT_BUS_NAME',
  /** The queue of deliveries to integrations, and the queue of those that failed. */
  deliveryQueueUrl: 'DELIVERY_QUEUE_URL',
  deliveryDeadLettersUrl: 'DELIVERY_DEAD_LETTERS_URL',
  /** Base addresses that replace the vendors' own: `slack=https://…`. */
  integrationBaseUrls: 'INTEGRATION_BASE_URLS',
  billingOverride: 'BILLING_OVERRIDE',
  /** A secret header that CloudFront adds to each request, in stages that have CloudFront. */
  frontSecret: 'FRONT_SECRET',
  /** `on`: requests that did not come through CloudFront are refused. */
  frontOnly: 'FRONT_ONLY',
} as const

type EnvironmentKey = keyof typeof environmentNames

/** The value of a variable; undefined if it is unset or empty. */
export function environment(key: EnvironmentKey): string | undefined {
  return process.env[environmentNames[key]] || undefined
}

/** The entries of a comma-separated variable. */
export const environmentList = (key: EnvironmentKey): string[] =>
  (environment(key) ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')

/** The value of a variable that the function cannot work without. */
export function requiredEnvironment(key: EnvironmentKey): string {
  const value = environment(key)
  if (value === undefined) throw new Error(`environment variable ${environmentNames[key]} is not set`)
  return value
}
