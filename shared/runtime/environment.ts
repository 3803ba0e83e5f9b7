/**
 * The names of the environment variables that functions run with, for the stacks that set them and the code that
 * reads them; and the one place that reads them. AWS endpoints come from the SDK's own `AWS_ENDPOINT_URL_*`.
 */

export const environmentNames = {
  stage: 'STAGE',
  tableName: 'TABLE_NAME',
  serviceVersion: 'SERVICE_VERSION',
  /** For the health function alone: a variable that changes with each commit redeploys each function that has it. */
  commit: 'COMMIT',
  secretsKeyId: 'SECRETS_KEY_ID',
  signInProviders: 'SIGN_IN_PROVIDERS',
  outboundAllowedCidrs: 'OUTBOUND_ALLOWED_CIDRS',
  providerBaseUrls: 'PROVIDER_BASE_URLS',
  localRuntimeUrl: 'LOCAL_RUNTIME_URL',
  localRuntime: 'LOCAL_RUNTIME',
  oidcIssuer: 'OIDC_ISSUER',
  oidcAudience: 'OIDC_AUDIENCE',
  oidcJwksUri: 'OIDC_JWKS_URI',
  oidcOrgClaim: 'OIDC_ORG_CLAIM',
  oidcRoleClaim: 'OIDC_ROLE_CLAIM',
  /** Stripe's secrets themselves, several webhook secrets separated by commas; or the Secrets Manager secret that holds them. */
  stripeSecretKey: 'STRIPE_SECRET_KEY',
  stripeWebhookSecret: 'STRIPE_WEBHOOK_SECRET',
  stripeSecretArn: 'STRIPE_SECRET_ARN',
  /** Where Stripe's API is when it is not Stripe. */
  stripeApiUrl: 'STRIPE_API_URL',
  /** The account that partner events must be of. */
  stripeAccount: 'STRIPE_ACCOUNT',
  /** The partner event source whose events are taken beside our own webhook's. */
  stripePartnerSource: 'STRIPE_PARTNER_SOURCE',
  /** The script of the reference page: its address, and its digest as in an `integrity` attribute. */
  referenceScriptUrl: 'REFERENCE_SCRIPT_URL',
  referenceScriptIntegrity: 'REFERENCE_SCRIPT_INTEGRITY',
  dashboardOrigins: 'DASHBOARD_ORIGINS',
  eventBusName: 'EVENT_BUS_NAME',
  billingOverride: 'BILLING_OVERRIDE',
  /** What CloudFront adds to each request, in stages where it is in front of the API. */
  frontSecret: 'FRONT_SECRET',
  /** `on`: requests that did not come through CloudFront are refused. */
  frontOnly: 'FRONT_ONLY',
} as const

type EnvironmentKey = keyof typeof environmentNames

/** The value of a variable, or undefined where it is not set or empty. */
export function environment(key: EnvironmentKey): string | undefined {
  return process.env[environmentNames[key]] || undefined
}

/** The entries of a variable that holds a list, separated by commas. */
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
