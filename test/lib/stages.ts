/** All kinds of stages, for tests of all of them. */
export type Context = Record<string, string>

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
  stripe_secret_key_arn: 'arn:aws:kms:us-east-1:123456789012:key/0f1e2d3c-0000-4000-8000-000000000000',
  stripe_account: 'acct_0123456789',
  billing_override: 'off',
  monthly_budget_usd: '200',
  lambda_concurrency: '10',
  throttle_rate: '300',
  backup_copy_vault_arn: 'arn:aws:backup:eu-west-1:123456789012:backup-vault:octomil',
  key_admin_role_arn: 'arn:aws:iam::123456789012:role/KeyAdmin',
  vpc_id: 'vpc-0123456789abcdef0',
  subnet_ids: 'subnet-0123456789abcdef0,subnet-0123456789abcdef1',
  security_group_ids: 'sg-0123456789abcdef0',
  route_table_ids: 'rtb-0123456789abcdef0',
}

/** CloudFront and a WAF in front of the API, under its own name. */
export const frontedStage: Context = {
  stage: 'dev',
  front: 'on',
  front_requests_per_five_minutes: '500',
  domain_name: 'api.example.com',
  front_certificate_arn: 'arn:aws:acm:us-east-1:123456789012:certificate/0f1e2d3c',
  hosted_zone_id: 'Z0123456789ABC',
  hosted_zone_name: 'example.com',
}

export const everyKindOfStage: { kind: string; context: Context }[] = [
  { kind: 'a stage with nothing named', context: bareStage },
  { kind: 'prod with a user pool', context: { stage: 'prod' } },
  { kind: 'a stage of API keys only', context: { stage: 'dev-keys', oidc_issuer: 'none' } },
  { kind: 'prod with everything named', context: fullStage },
  { kind: 'a stage with a front', context: frontedStage },
]
