/** The kinds of stages that there are, for tests that hold for all of them. */
type Context = Record<string, string>

export const bareStage: Context = { stage: 'dev' }

export const fullStage: Context = {
  stage: 'prod',
  oidc_issuer: 'https://id.example.com',
  oidc_audience: 'client',
  oidc_jwks_uri: 'https://id.example.com/keys',
  cors_origins: 'https://dashboard.example.com',
  sign_in_providers: 'google,github',
  allowed_cidrs: '10.0.0.0/16',
  domain_name: 'api.example.com',
  certificate_arn: 'arn:aws:acm:us-east-1:123456789012:certificate/0f1e2d3c',
  hosted_zone_id: 'Z0123456789ABC',
  hosted_zone_name: 'example.com',
  alarm_email: 'oncall@example.com',
  stripe_secret_arn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:stripe/octomil-a1B2c3',
  stripe_partner_source: 'aws.partner/stripe.com/ed_0123456789',
  stripe_account: 'acct_0123456789',
  billing_override: 'off',
}

export const everyKindOfStage: { kind: string; context: Context }[] = [
  { kind: 'a stage with nothing named', context: bareStage },
  { kind: 'prod with a user pool', context: { stage: 'prod' } },
  { kind: 'a stage of API keys only', context: { stage: 'keys', oidc_issuer: 'none' } },
  { kind: 'prod with everything named', context: fullStage },
]
