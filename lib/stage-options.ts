/**
 * Every option of a stage, as data. One entry gives the option's check, its reading from `-c name=value`, its part of
 * `stages/stage.schema.json` and its row in the docs.
 */
import { BlockList, isIP } from 'node:net'
import * as z from 'zod'
import { isEmailAddress } from '../shared/email.ts'
import { runtimes } from '../shared/execution/local-target.ts'
import { vendorTypes } from '../shared/integrations/vendors.ts'
import { signInProviders } from '../shared/org-auth/record.ts'
import { differentialFault } from '../shared/outbound/written-url.ts'
import { providerNames, providersWithoutRoot } from '../shared/providers/providers.ts'

interface StageOption<Schema extends z.ZodType> {
  /** Validates the value in a stage file. */
  schema: Schema
  /** Converts the text of `-c name=value` to a stage file's value. */
  fromText(text: string): unknown
  help: string
  /** In the syntax of `-c`. */
  example: string
}

type Meaning = Pick<StageOption<z.ZodType>, 'help' | 'example'>

/** A string with a custom check. The check returns the fault, as the end of a sentence that starts with the value. */
const judged = (faultOf: (value: string) => string | undefined) =>
  z.string().superRefine((value, context) => {
    const fault = faultOf(value)
    if (fault !== undefined) context.addIssue(fault)
  })

const matching = (pattern: RegExp, fault: string) => z.string().regex(pattern, { error: fault })

const option = <Schema extends z.ZodType>(
  schema: Schema,
  meaning: Meaning,
  fromText: (text: string) => unknown = (text) => text,
): StageOption<Schema> => ({ schema: schema.meta({ description: meaning.help }), fromText, ...meaning })

const entriesOf = (text: string): string[] => text.split(',').map((entry) => entry.trim())

/** A list: an array in a stage file, separated by commas after `-c`. */
const list = <Item extends z.ZodType>(item: Item, meaning: Meaning) => option(z.array(item), meaning, entriesOf)

/** A switch: true or false in a stage file, on or off after `-c`. */
const onOff = (meaning: Meaning) =>
  option(z.boolean({ error: 'must be on or off after -c, and true or false in a stage file' }), meaning, (text) =>
    text === 'on' ? true : text === 'off' ? false : text,
  )

const wholeNumber = (max: number, meaning: Meaning) =>
  option(
    z
      .int({ error: `must be a whole number from 1 to ${max}` })
      .min(1)
      .max(max),
    meaning,
    (text) => (/^\d+$/.test(text) ? Number(text) : text),
  )

const isLoopback = (url: string): boolean => {
  if (!URL.canParse(url)) return false
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)
}

/** Over plain http an attacker on the network could replace the keys. Loopback has no network. */
const keyUrlFault = (url: string) =>
  differentialFault(url) === undefined && (URL.parse(url)?.protocol === 'https:' || isLoopback(url))
    ? undefined
    : 'must be an https URL (http only on loopback)'
const keyUrl = judged(keyUrlFault)

/** Value of `oidc_issuer` for a stage with API keys only. */
export const noIssuer = 'none'

const host = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/
const certificate = (region: string) =>
  matching(
    new RegExp(`^arn:aws[\\w-]*:acm:${region}:\\d{12}:certificate/[\\w-]+$`),
    `must be the ARN of a certificate in ACM, arn:aws:acm:${region === 'us-east-1' ? region : '<region>'}:<account>:certificate/…`,
  )

const resourceId = (prefix: string) =>
  matching(new RegExp(`^${prefix}-[0-9a-f]{8,17}$`), `must be an id like ${prefix}-0123456789abcdef0`)

/** Metadata services of clouds: they return the machine's credentials. */
const metadataAddresses = ['169.254.169.254', '169.254.170.2', 'fd00:ec2::254']

function cidrFault(cidr: string): string | undefined {
  const [network = '', prefix = ''] = cidr.split('/')
  const family = isIP(network)
  const bits = Number(prefix)
  if (family === 0 || !/^\d{1,3}$/.test(prefix) || bits > (family === 4 ? 32 : 128))
    return `${cidr} is not a range like 10.0.0.0/16`
  const range = new BlockList()
  const kind = family === 4 ? 'ipv4' : 'ipv6'
  range.addSubnet(network, bits, kind)
  const exposed = metadataAddresses.find((address) => isIP(address) === family && range.check(address, kind))
  return exposed && `${cidr} contains the metadata address ${exposed}; use a smaller range`
}

const origin = judged((text) =>
  URL.canParse(text) && new URL(text).origin === text
    ? undefined
    : `${text} is not an origin like https://dashboard.example.com (no path, no slash at the end)`,
)

const rootedProviders = providerNames.filter((name) => !providersWithoutRoot.includes(name))

/** `openai=https://…` becomes an entry of a record. An entry without `=` becomes a name with an empty URL, which the check reports. */
const recordOf = (text: string) =>
  Object.fromEntries(
    entriesOf(text).map((entry) => {
      const [, name = entry, value = ''] = /^(\w+)=(.+)$/.exec(entry) ?? []
      return [name, value]
    }),
  )

const kmsKeyArn = /^arn:aws[\w-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/

export const postures = ['disposable', 'protected'] as const

export const stageOptions = {
  posture: option(z.enum(postures, { error: `must be ${postures.join(' or ')}` }), {
    help: '`protected` keeps the data when stacks are deleted, and protects every stack. `disposable` deletes the data with the stacks. Default: `disposable` for `dev` and `dev-<name>`, else `protected`.',
    example: 'protected',
  }),
  oidc_issuer: option(
    judged((url) => (url === noIssuer ? undefined : keyUrlFault(url))),
    {
      help: 'Issuer of the JWTs of signed-in people, instead of the stage’s user pool. `none`: only API keys work.',
      example: 'https://id.example.com',
    },
  ),
  oidc_audience: option(z.string().min(1), {
    help: 'Required audience (client id) of tokens. Required with `oidc_issuer`.',
    example: 'client-id',
  }),
  oidc_jwks_uri: option(keyUrl, {
    help: "URL of the issuer's keys, if discovery does not provide it.",
    example: 'https://id.example.com/keys',
  }),
  oidc_org_claim: option(z.string().min(1), {
    help: 'Claim with the organization (default `org_id`).',
    example: 'org',
  }),
  oidc_role_claim: option(z.string().min(1), { help: 'Claim with the role (default `role`).', example: 'role' }),
  sign_in_providers: list(
    z.enum(signInProviders, { error: (issue) => `${issue.input} is not one of ${signInProviders.join(', ')}` }),
    {
      help: 'Sign-in providers for which the deployment has credentials. Read-only for organizations.',
      example: 'google,github',
    },
  ),
  allowed_cidrs: list(judged(cidrFault), {
    help: 'Private ranges that outbound calls may reach. Requires `vpc_id`, unless a proxy routes them. Metadata services are always blocked.',
    example: '10.0.0.0/16',
  }),
  provider_base_urls: option(
    z.record(z.string(), z.string()).superRefine((urls, context) => {
      const wrong = Object.entries(urls).find(([name, url]) => !rootedProviders.some((known) => known === name) || !url)
      if (wrong)
        context.addIssue(`${wrong[0]} is not like openai=https://host/v1, with one of ${rootedProviders.join(', ')}`)
    }),
    {
      help: 'Base URLs that replace those of provider APIs: an egress gateway or a regional endpoint.',
      example: 'openai=https://eu.api.openai.com/v1',
    },
    recordOf,
  ),
  integration_base_urls: option(
    z.record(z.string(), z.string()).superRefine((urls, context) => {
      const wrong = Object.entries(urls).find(([name, url]) => !vendorTypes.some((known) => known === name) || !url)
      if (wrong) context.addIssue(`${wrong[0]} is not like slack=https://host, with one of ${vendorTypes.join(', ')}`)
    }),
    {
      help: 'Base addresses that replace those of vendors in deliveries: an egress gateway, or a double.',
      example: 'slack=https://egress.example.com/slack',
    },
    recordOf,
  ),
  mail_from: option(
    judged((address) => (isEmailAddress(address) ? undefined : 'must be one e-mail address, like alerts@example.com')),
    {
      help: 'Sender of mail to integrations of type `email`. Its identity must be verified in SES. Default: no mail.',
      example: 'alerts@example.com',
    },
  ),
  local_runtime_url: option(z.string().min(1), {
    help: 'Fallback runtime of every organization: the target `env`.',
    example: 'https://runtime.example.com',
  }),
  local_runtime: option(z.enum(runtimes, { error: `must be one of ${runtimes.join(', ')}` }), {
    help: 'Type of `local_runtime_url` (default `openai_compatible`).',
    example: 'vllm',
  }),
  domain_name: option(matching(host, 'must be a name like api.example.com, in lower case and without https://'), {
    help: 'Custom domain of the API. Disables the API’s AWS address.',
    example: 'api.example.com',
  }),
  certificate_arn: option(certificate('[a-z0-9-]+'), {
    help: 'ACM certificate of the domain, in the region of the stage.',
    example: 'arn:aws:acm:eu-west-1:123456789012:certificate/0f1e2d3c',
  }),
  hosted_zone_id: option(matching(/^Z[A-Z0-9]{1,31}$/, 'must be the id of a Route 53 zone, Z and capitals or digits'), {
    help: 'Route 53 zone of the domain: the deploy creates the DNS record.',
    example: 'Z0123456789ABC',
  }),
  hosted_zone_name: option(matching(host, 'must be the name of the zone, like example.com'), {
    help: 'Name of the zone in `hosted_zone_id`.',
    example: 'example.com',
  }),
  alarm_email: option(
    judged((address) => (isEmailAddress(address) ? undefined : 'must be one e-mail address, like oncall@example.com')),
    { help: 'Address that receives alarms. AWS sends a mail to confirm it.', example: 'oncall@example.com' },
  ),
  monthly_budget_usd: wholeNumber(1_000_000, {
    help: 'Monthly budget of the account in US dollars. At 80 % and at 100 %, AWS sends a mail to `alarm_email`.',
    example: '200',
  }),
  lambda_concurrency: wholeNumber(1_000_000, {
    help: 'Lambda concurrency of the account in the region (default 1,000; new accounts have 10). An alarm warns at 80 %.',
    example: '10',
  }),
  throttle_rate: wholeNumber(10_000, {
    help: 'Requests per second that API Gateway admits per route (default 50, protected stages 200).',
    example: '500',
  }),
  throttle_burst: wholeNumber(5_000, {
    help: 'Burst of requests that API Gateway admits per route (default twice the rate).',
    example: '1000',
  }),
  cors_origins: list(origin, {
    help: 'Origins of dashboards. Browsers may call every operation from them, and Stripe’s pages return to them.',
    example: 'https://a.example,https://b.example',
  }),
  stripe_secret_arn: option(
    matching(
      /^arn:aws[\w-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+-[A-Za-z0-9]{6}$/,
      'must be the whole ARN of a Secrets Manager secret, with the six characters at its end',
    ),
    {
      help: 'Secret with Stripe’s keys. Default: the stage creates an empty secret.',
      example: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:stripe/octomil-a1B2c3',
    },
  ),
  stripe_secret_key_arn: option(
    matching(kmsKeyArn, 'must be the ARN of a KMS key, arn:aws:kms:<region>:<account>:key/…'),
    {
      help: 'KMS key of `stripe_secret_arn`, if a customer-managed key encrypts it.',
      example: 'arn:aws:kms:us-east-1:123456789012:key/0f1e2d3c-0000-4000-8000-000000000000',
    },
  ),
  stripe_partner_source: option(
    matching(
      /^aws\.partner\/stripe\.com\/ed_\w+$/,
      'must be the name of the event source, aws.partner/stripe.com/ed_…',
    ),
    {
      help: 'Stripe’s event destination of type EventBridge, in addition to the webhook or instead of it.',
      example: 'aws.partner/stripe.com/ed_0123456789',
    },
  ),
  stripe_account: option(matching(/^acct_\w+$/, 'must be the id of an account, acct_…'), {
    help: 'The connected account to accept events from, if Stripe sends events of connected accounts.',
    example: 'acct_0123456789',
  }),
  stripe_api_url: option(
    judged((url) =>
      isLoopback(url)
        ? undefined
        : 'only a double of Stripe on loopback, for tests of a deploy; leave it out otherwise',
    ),
    { help: 'Only for deploy tests: a Stripe double on loopback.', example: 'http://127.0.0.1:12111' },
  ),
  billing_override: onOff({
    help: 'Allows owners to override their organization’s plan (default: `on` in disposable stages). Always off with a live Stripe key.',
    example: 'off',
  }),
  web: onOff({
    help: 'Bucket and CloudFront for the script of the reference (default on). Turn it off if AWS has not verified the account for CloudFront.',
    example: 'off',
  }),
  vpc_id: option(resourceId('vpc'), {
    help: 'VPC of the functions with outbound calls, for runtimes in private ranges. It needs a NAT gateway.',
    example: 'vpc-0123456789abcdef0',
  }),
  subnet_ids: list(resourceId('subnet'), {
    help: 'Private subnets of `vpc_id`, in two zones or more.',
    example: 'subnet-0123456789abcdef0,subnet-0123456789abcdef1',
  }),
  security_group_ids: list(resourceId('sg'), {
    help: 'Security groups of the functions in `vpc_id`.',
    example: 'sg-0123456789abcdef0',
  }),
  route_table_ids: list(resourceId('rtb'), {
    help: 'Route tables of the subnets: the deploy adds a gateway endpoint for the table. Omit it if the VPC has one.',
    example: 'rtb-0123456789abcdef0',
  }),
  front: onOff({
    help: 'CloudFront and a WAF in front of the API, with a rate rule per address. Only in us-east-1, or with `front_web_acl_arn`. To remove it: `off` for one deploy, then leave it out.',
    example: 'on',
  }),
  close_api_address: onOff({
    help: 'Refuse requests that did not come through the front. Switch it on once clients use the address of the front.',
    example: 'on',
  }),
  front_secret_version: option(
    matching(/^[0-9a-f-]{36}$/, 'must be the id of a version of the secret, as put-secret-value prints it'),
    {
      help: 'Version of the secret that CloudFront adds to requests. Change it to replace the secret.',
      example: '0f1e2d3c-0000-4000-8000-000000000000',
    },
  ),
  front_requests_per_five_minutes: wholeNumber(2_000_000_000, {
    help: 'Requests per address and five minutes that the rate rule admits (default 3,000, minimum 10).',
    example: '3000',
  }),
  front_web_acl_arn: option(
    matching(
      /^arn:aws[\w-]*:wafv2:us-east-1:\d{12}:global\/webacl\/[\w-]+\/[\w-]+$/,
      'must be the ARN of a web ACL for CloudFront, arn:aws:wafv2:us-east-1:<account>:global/webacl/…',
    ),
    {
      help: 'Your web ACL for CloudFront. Default: the deploy creates one.',
      example: 'arn:aws:wafv2:us-east-1:123456789012:global/webacl/octomil/0f1e2d3c',
    },
  ),
  front_certificate_arn: option(certificate('us-east-1'), {
    help: 'Certificate of `domain_name` in us-east-1: with `front`, CloudFront serves the domain.',
    example: 'arn:aws:acm:us-east-1:123456789012:certificate/0f1e2d3c',
  }),
  backup_copy_vault_arn: option(
    matching(
      /^arn:aws[\w-]*:backup:[a-z0-9-]+:\d{12}:backup-vault:[\w-]+$/,
      'must be the ARN of a backup vault, arn:aws:backup:<region>:<account>:backup-vault:…',
    ),
    {
      help: 'Backup vault in another region. A daily backup of the table is copied there.',
      example: 'arn:aws:backup:eu-west-1:123456789012:backup-vault:octomil',
    },
  ),
  secrets_key_arn: option(matching(kmsKeyArn, 'must be the ARN of a KMS key, arn:aws:kms:<region>:<account>:key/…'), {
    help: 'Key of customers’ secrets that exists already: a replica, in a region that takes over. Set it before the first deploy; it cannot change later.',
    example: 'arn:aws:kms:eu-west-1:123456789012:key/mrk-0f1e2d3c000040008000000000000000',
  }),
  key_admin_role_arn: option(
    matching(
      /^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/,
      'must be the ARN of a role, arn:aws:iam::<account>:role/…',
    ),
    {
      help: 'The only role that may delete or disable the key of customers’ secrets, in a protected stage. A role that may change the policy of the key can lift this.',
      example: 'arn:aws:iam::123456789012:role/KeyAdmin',
    },
  ),
} as const satisfies Record<string, StageOption<z.ZodType>>

export type OptionName = keyof typeof stageOptions
export const optionNames = Object.keys(stageOptions) as OptionName[]

export type StageValues = { [Name in OptionName]?: z.output<(typeof stageOptions)[Name]['schema']> }
