/** The preflight passes for a ready account, and names each missing part with the command that fixes it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ACMClient, DescribeCertificateCommand } from '@aws-sdk/client-acm'
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { GetHostedZoneCommand, Route53Client } from '@aws-sdk/client-route-53'
import { DescribeSecretCommand, GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { App, CfnResource, Stack } from 'aws-cdk-lib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bootstrapVersion } from '../../bin/preflight-aws.ts'
import { preflightCheckNames, runPreflight } from '../../bin/preflight-checks.ts'
import type { PreflightSettings } from '../../bin/preflight-context.ts'
import { settingsOf } from '../../bin/stage-settings.ts'
import { stripeEventTypes } from '../../shared/stripe-events/event.ts'
import { mockClientHere } from '../support/mock-client.ts'
import { localStripe } from '../support/stripe.ts'

const account = '123456789012'
const certificateArn = `arn:aws:acm:us-east-1:${account}:certificate/abc`
const secretArn = `arn:aws:secretsmanager:us-east-1:${account}:secret:stripe-AbCdEf`
const keyArn = `arn:aws:kms:us-east-1:${account}:key/0a1b`
const endpointUrl = 'https://api.example.com/api/v1/webhooks/stripe'

const sts = mockClientHere(STSClient)
const ssm = mockClientHere(SSMClient)
const lambda = mockClientHere(LambdaClient)
const cloudFormation = mockClientHere(CloudFormationClient)
const acm = mockClientHere(ACMClient)
const route53 = mockClientHere(Route53Client)
const secrets = mockClientHere(SecretsManagerClient)
const kms = mockClientHere(KMSClient)
const clients = [sts, ssm, lambda, cloudFormation, acm, route53, secrets, kms]

/** Stubbed answers of Stripe by path, before the local Stripe. */
let stripeAnswers: Record<string, { status?: number; body: object }>
const stripe = createServer((request, response) => void answerAsStripe(request, response))
let settings: PreflightSettings

async function answerAsStripe(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = stripeAnswers[request.url?.split('?')[0] ?? '']
  if (!answer) return (await localStripe()).handle(request, response)
  response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
}

beforeAll(() => new Promise<void>((resolve) => stripe.listen(0, '127.0.0.1', resolve)))
afterAll(() => {
  stripe.closeAllConnections()
  stripe.close()
})

/** An account that is ready for a stage with a domain and a Stripe secret under the customer's own key. */
beforeEach(() => {
  for (const client of clients) client.reset()
  process.env.AWS_REGION = 'us-east-1'
  const apiUrl = `http://127.0.0.1:${(stripe.address() as AddressInfo).port}`
  const hostedZone = { id: 'Z1', name: 'example.com' }
  settings = {
    ...{ stage: 'dev', retainData: false, lambdaConcurrency: 1000, front: undefined },
    customDomain: { domainName: 'api.example.com', certificateArn, frontCertificateArn: certificateArn, hostedZone },
    stripe: { secretArn, secretKeyArn: keyArn, apiUrl },
  }
  sts.on(GetCallerIdentityCommand).resolves({ Account: account, Arn: `arn:aws:iam::${account}:user/ada` })
  ssm.on(GetParameterCommand).resolves({ Parameter: { Value: '28' } })
  lambda.on(GetAccountSettingsCommand).resolves({ AccountLimit: { ConcurrentExecutions: 1000 } })
  cloudFormation.on(DescribeStacksCommand).resolves({ Stacks: [] })
  acm.on(DescribeCertificateCommand).resolves({ Certificate: certificate })
  route53.on(GetHostedZoneCommand).resolves({ HostedZone: zone, $metadata: {} })
  secrets.on(DescribeSecretCommand).resolves({ ARN: secretArn, KmsKeyId: 'alias/stripe' })
  secrets.on(GetSecretValueCommand).resolves({ SecretString: secretValue() })
  kms.on(DescribeKeyCommand, { KeyId: 'alias/stripe' }).resolves({ KeyMetadata: customerKey })
  stripeAnswers = { '/v1/webhook_endpoints': { body: list(endpoint()) } }
})

const certificate = { Status: 'ISSUED', DomainName: 'api.example.com', NotAfter: new Date('2027-03-01') } as const
const zone = { Id: '/hostedzone/Z1', Name: 'example.com.', CallerReference: 'test' }
const customerKey = { KeyId: '0a1b', Arn: keyArn, KeyManager: 'CUSTOMER', KeyState: 'Enabled' } as const
const secretValue = (more: object = {}) =>
  JSON.stringify({ secret_key: 'sk_test_local', webhook_secrets: ['whsec_local'], ...more })
const list = (...data: object[]) => ({ object: 'list', data, has_more: false })
const endpoint = (more: object = {}) => ({
  ...{ id: 'we_1', object: 'webhook_endpoint', status: 'enabled', url: endpointUrl },
  ...{ enabled_events: stripeEventTypes, ...more },
})
const stack = (StackName: string, status: string) => ({
  StackName,
  StackStatus: status as 'CREATE_COMPLETE',
  CreationTime: new Date(),
})
const awsError = (name: string) => Object.assign(new Error(`${name} of the test`), { name })
const stripeError = (status: number, more: object = {}) => ({
  status,
  body: { error: { type: 'invalid_request_error', message: 'a refusal of the test', ...more } },
})
const secretIs = (text: string | undefined) =>
  secrets.on(GetSecretValueCommand).resolves(text ? { SecretString: text } : {})
const certificateIs = (more: object) =>
  acm
    .on(DescribeCertificateCommand)
    .resolves({ Certificate: { ...certificate, CertificateArn: certificateArn, ...more } })
const stacksAre = (...Stacks: ReturnType<typeof stack>[]) =>
  cloudFormation.on(DescribeStacksCommand).resolves({ Stacks })

async function preflight() {
  const lines: string[] = []
  const tally = await runPreflight(settings, { print: (line) => lines.push(line) })
  expect(lines.filter((line) => /[sr]k_(test|live)_\w|whsec_\w/.test(line))).toEqual([])
  return { ...tally, lines, lineOf: (name: string) => lines.find((line) => line.split(/[ :]+/)[1] === name) ?? '' }
}

/** A price of the local Stripe, changed for one test. */
async function changedPrice(lookupKey: string, change: object): Promise<void> {
  const { engine } = await localStripe()
  const prices = engine.store.all('price').filter(({ lookup_key }) => lookup_key !== null)
  const products = engine.store.all('product')
  const data = prices.map((price) => ({
    ...price,
    unit_amount_decimal: String(price.unit_amount),
    product: products.find(({ id }) => id === price.product),
    ...(price.lookup_key === lookupKey ? change : {}),
  }))
  stripeAnswers['/v1/prices'] = { body: list(...data) }
}

type Case = readonly [check: string, what: string, arrange: () => unknown, line: RegExp]

const failures: readonly Case[] = [
  [
    'region',
    'no region is set',
    () => {
      delete process.env.AWS_REGION
      process.env.AWS_CONFIG_FILE = '/dev/null'
    },
    /^FAIL region: expected a region, got none, fix: export AWS_REGION=/,
  ],
  [
    'region',
    'the region is misspelled',
    () => {
      process.env.AWS_REGION = 'us-east'
    },
    /^FAIL region: expected a region, got us-east, fix: export AWS_REGION=us-east-1/,
  ],
  [
    'credentials',
    'the credentials have expired',
    () => sts.on(GetCallerIdentityCommand).rejects(awsError('ExpiredToken')),
    /^FAIL credentials: .*got ExpiredToken, fix: set AWS_PROFILE/,
  ],
  [
    'bootstrap',
    'the environment is not bootstrapped',
    () => ssm.on(GetParameterCommand).rejects(awsError('ParameterNotFound')),
    /^FAIL bootstrap: .*got none, fix: npx cdk bootstrap aws:\/\/123456789012\/us-east-1 /,
  ],
  [
    'bootstrap',
    'the bootstrap is too old',
    () => ssm.on(GetParameterCommand).resolves({ Parameter: { Value: '5' } }),
    /^FAIL bootstrap: expected .* version 6 or later, got version 5, fix: npx cdk bootstrap/,
  ],
  [
    'front',
    'the stage is in a region where CloudFront finds no web ACL',
    () => {
      process.env.AWS_REGION = 'eu-west-1'
      settings.front = {
        requestsPerFiveMinutes: 3000,
        webAclArn: undefined,
        isOnlyWay: false,
        secretVersion: undefined,
      }
    },
    /^FAIL front: expected the region us-east-1, .*got eu-west-1, fix: .*front_web_acl_arn/,
  ],
  [
    'concurrency',
    'the alarm counts with more than the account runs',
    () => lambda.on(GetAccountSettingsCommand).resolves({ AccountLimit: { ConcurrentExecutions: 500 } }),
    /^warn concurrency: the account limit is 500, and lambda_concurrency is 1000, fix: set lambda_concurrency to 500/,
  ],
  [
    'concurrency',
    'the account is new',
    () => lambda.on(GetAccountSettingsCommand).resolves({ AccountLimit: { ConcurrentExecutions: 10 } }),
    /^warn concurrency: the account runs 10 Lambda functions at once.*--quota-code L-B99A9384 --desired-value 1000/,
  ],
  [
    'stacks',
    'a first deploy has failed',
    () => stacksAre(stack('OctomilSettings-dev-Api', 'ROLLBACK_COMPLETE')),
    /^FAIL stacks: .*got OctomilSettings-dev-Api ROLLBACK_COMPLETE, fix: aws cloudformation delete-stack --stack-name Oct/,
  ],
  [
    'stacks',
    'an update could not be rolled back',
    () => stacksAre(stack('OctomilSettings-dev-Api', 'UPDATE_ROLLBACK_FAILED')),
    /fix: aws cloudformation continue-update-rollback --stack-name OctomilSettings-dev-Api /,
  ],
  [
    'stacks',
    'an update has failed without a rollback',
    () => stacksAre(stack('OctomilSettings-dev-Api', 'UPDATE_FAILED')),
    /fix: aws cloudformation rollback-stack --stack-name OctomilSettings-dev-Api /,
  ],
  [
    'stacks',
    'another deploy runs',
    () => stacksAre(stack('OctomilSettings-dev-Api', 'UPDATE_IN_PROGRESS')),
    /^warn stacks: OctomilSettings-dev-Api UPDATE_IN_PROGRESS, fix: wait/,
  ],
  [
    'certificate',
    'the certificate is in another region',
    () => {
      process.env.AWS_REGION = 'eu-west-1'
    },
    /^FAIL certificate: expected a certificate in eu-west-1, got one in us-east-1, fix: aws acm .* --region eu-west-1 /,
  ],
  [
    'certificate',
    'there is no such certificate',
    () => acm.on(DescribeCertificateCommand).rejects(awsError('ResourceNotFoundException')),
    /^FAIL certificate: expected the certificate arn.*got none, fix: aws acm request-certificate/,
  ],
  [
    'certificate',
    'the certificate waits for its validation',
    () => certificateIs({ Status: 'PENDING_VALIDATION' }),
    /^FAIL certificate: expected status ISSUED, got PENDING_VALIDATION, fix: create the DNS record shown by: aws acm describe/,
  ],
  [
    'certificate',
    'the certificate is for another name',
    () => certificateIs({ DomainName: 'example.com', SubjectAlternativeNames: ['www.example.com'] }),
    /^FAIL certificate: expected a certificate for api\.example\.com, got one for example\.com, www\.example\.com,/,
  ],
  [
    'certificate',
    'the wildcard is two levels up',
    () => certificateIs({ DomainName: '*.com' }),
    /^FAIL certificate: .*got one for \*\.com,/,
  ],
  [
    'hosted-zone',
    'there is no such zone',
    () => route53.on(GetHostedZoneCommand).rejects(awsError('NoSuchHostedZone')),
    /^FAIL hosted-zone: expected the hosted zone Z1, got none, fix: aws route53 list-hosted-zones-by-name/,
  ],
  [
    'hosted-zone',
    'the zone has another name',
    () => route53.on(GetHostedZoneCommand).resolves({ HostedZone: { ...zone, Name: 'example.org.' } }),
    /^FAIL hosted-zone: expected the zone example\.com, got Z1 is example\.org,/,
  ],
  [
    'hosted-zone',
    'the zone is private',
    () => route53.on(GetHostedZoneCommand).resolves({ HostedZone: { ...zone, Config: { PrivateZone: true } } }),
    /^FAIL hosted-zone: expected a public zone/,
  ],
  [
    'stripe-secret',
    'there is no such secret',
    () => secrets.on(DescribeSecretCommand).rejects(awsError('ResourceNotFoundException')),
    /^FAIL stripe-secret: expected the secret arn.*got none/,
  ],
  [
    'stripe-secret',
    'the secret is in another region',
    () => {
      process.env.AWS_REGION = 'eu-west-1'
    },
    /^FAIL stripe-secret: expected a secret in eu-west-1, got one in us-east-1, fix: aws secretsmanager replicate/,
  ],
  [
    'stripe-secret',
    'the secret will be deleted',
    () => secrets.on(DescribeSecretCommand).resolves({ DeletedDate: new Date() }),
    /^FAIL stripe-secret: .*fix: aws secretsmanager restore-secret --secret-id arn/,
  ],
  [
    'stripe-secret',
    'the key of the secret is not named',
    () => {
      settings.stripe = { secretArn }
    },
    /^FAIL stripe-secret: expected stripe_secret_key_arn arn:aws:kms\S+, got none, fix: set stripe_secret_key_arn to arn/,
  ],
  [
    'stripe-secret',
    'another key is named',
    () => {
      settings.stripe = { secretArn, secretKeyArn: `${keyArn}c` }
    },
    /^FAIL stripe-secret: .*got arn:aws:kms:us-east-1:123456789012:key\/0a1bc, fix: set stripe_secret_key_arn/,
  ],
  [
    'stripe-secret',
    'a key is named for a secret without one',
    () => secrets.on(DescribeSecretCommand).resolves({}),
    /^FAIL stripe-secret: expected no stripe_secret_key_arn, got arn.*fix: remove it/,
  ],
  [
    'stripe-secret',
    'the key is disabled',
    () => kms.on(DescribeKeyCommand).resolves({ KeyMetadata: { ...customerKey, KeyState: 'Disabled' } }),
    /^FAIL stripe-secret: expected an enabled KMS key, got \S+ Disabled, fix: aws kms enable-key/,
  ],
  [
    'stripe-secret-value',
    'the value is no JSON',
    () => secretIs('sk_test_local'),
    /^FAIL .*got another text, fix: aws secr/,
  ],
  [
    'stripe-secret-value',
    'a field has another type',
    () => secretIs(secretValue({ webhook_secrets: 'whsec_local' })),
    /^FAIL stripe-secret-value: expected JSON of the shape/,
  ],
  [
    'stripe-secret-value',
    'the secret is empty',
    () => secretIs(undefined),
    /^FAIL stripe-secret-value: expected a secret_key, got none, fix: aws secretsmanager put-secret-value --secret-id arn/,
  ],
  [
    'stripe-secret-value',
    'the key is no secret key',
    () => secretIs(secretValue({ secret_key: 'pk_test_local' })),
    /^FAIL stripe-secret-value: expected a secret_key that starts with sk_ or rk_/,
  ],
  [
    'stripe-secret-value',
    'a webhook secret is something else',
    () => secretIs(secretValue({ webhook_secrets: ['we_1', 'whsec_local'] })),
    /^FAIL stripe-secret-value: expected webhook_secrets that start with whsec_, got 1 others/,
  ],
  [
    'stripe-secret-value',
    'there is no webhook secret yet',
    () => secretIs(secretValue({ webhook_secrets: [] })),
    /^warn stripe-secret-value: the secret has no webhook_secrets; the webhook answers 503, fix: aws secretsmanager put/,
  ],
  [
    'stripe-account',
    'Stripe refuses the key',
    () => {
      stripeAnswers['/v1/account'] = stripeError(401)
    },
    /^FAIL stripe-account: expected a key that Stripe accepts, got StripeAuthenticationError, fix: put a valid/,
  ],
  [
    'stripe-account',
    'a stage that keeps its data has a key of test mode',
    () => {
      settings = { ...settings, retainData: true }
    },
    /^warn stripe-account: test mode of acct_\w+, in a stage that keeps its data, fix: store a live key/,
  ],
  [
    'stripe-account',
    'a stage whose data can be deleted has a live key',
    () => {
      secretIs(secretValue({ secret_key: 'sk_live_local' }))
      stripeAnswers['/v1/account'] = { body: { id: 'acct_live', object: 'account' } }
    },
    /^warn stripe-account: live mode of acct_live, in a stage whose data can be deleted, fix: store a test key/,
  ],
  [
    'stripe-prices',
    'a price is missing',
    () => changedPrice('octomil_team_annual', { lookup_key: null }),
    /^FAIL stripe-prices: expected a price with the lookup key octomil_team_annual, got none, fix: stripe prices create .*recurring\[interval\]=year/,
  ],
  [
    'stripe-prices',
    'a price is inactive',
    () => changedPrice('octomil_team_monthly', { id: 'price_a', active: false }),
    /^FAIL stripe-prices: .*got price_a inactive, fix: stripe prices update price_a -d active=true /,
  ],
  [
    'stripe-prices',
    'a price is for another interval',
    () => changedPrice('octomil_team_annual', { id: 'price_a', recurring: { interval: 'month', interval_count: 6 } }),
    /^FAIL stripe-prices: .*got price_a for each 6 month, fix: stripe prices create .* -d transfer_lookup_key=true/,
  ],
  [
    'stripe-prices',
    'its product is inactive',
    () => changedPrice('octomil_team_monthly', { product: { id: 'prod_a', active: false, metadata: {} } }),
    /^FAIL stripe-prices: .*got prod_a inactive, fix: stripe products update prod_a -d active=true/,
  ],
  [
    'stripe-prices',
    'neither price nor product names the plan',
    () =>
      changedPrice('octomil_team_monthly', { id: 'price_a', product: { id: 'prod_a', active: true, metadata: {} } }),
    /^warn stripe-prices: price_a .*octomil_plan absent.*fix: stripe prices update price_a -d "metadata\[octomil_plan\]=team"/,
  ],
  [
    'stripe-webhook',
    'an event type is missing',
    () => {
      const enabled_events = stripeEventTypes.filter((type) => type !== 'invoice.paid')
      stripeAnswers['/v1/webhook_endpoints'] = { body: list(endpoint({ enabled_events })) }
    },
    /^FAIL stripe-webhook: expected we_1 with all 20 event types, got it without invoice\.paid, fix: stripe webhook_endpoints update we_1 -d "enabled_events\[0\]=/,
  ],
  [
    'stripe-webhook',
    'the endpoint is disabled',
    () => {
      stripeAnswers['/v1/webhook_endpoints'] = { body: list(endpoint({ status: 'disabled' })) }
    },
    /^FAIL stripe-webhook: expected we_1 enabled, got disabled, fix: stripe webhook_endpoints update we_1 -d disabled=false/,
  ],
  [
    'stripe-webhook',
    'the endpoint is another stage’s',
    () => {
      const url = endpointUrl.replace('api.', 'staging.')
      stripeAnswers['/v1/webhook_endpoints'] = { body: list(endpoint({ url })) }
    },
    /^warn stripe-webhook: no webhook endpoint at https:\/\/api\.example\.com\/api.*fix: stripe webhook_endpoints create -d url=/,
  ],
]

const denied = awsError('AccessDeniedException')
const denials: readonly Case[] = [
  ['bootstrap', '', () => ssm.on(GetParameterCommand).rejects(denied), /needs ssm:GetParameter,/],
  ['concurrency', '', () => lambda.on(GetAccountSettingsCommand).rejects(denied), /needs lambda:GetAccountSettings,/],
  [
    'stacks',
    '',
    () => cloudFormation.on(DescribeStacksCommand).rejects(awsError('AccessDenied')),
    /needs cloudformation:DescribeStacks,/,
  ],
  ['certificate', '', () => acm.on(DescribeCertificateCommand).rejects(denied), /needs acm:DescribeCertificate,/],
  [
    'hosted-zone',
    '',
    () => route53.on(GetHostedZoneCommand).rejects(awsError('AccessDenied')),
    /needs route53:GetHostedZone,/,
  ],
  [
    'stripe-secret',
    '',
    () => secrets.on(DescribeSecretCommand).rejects(denied),
    /needs secretsmanager:DescribeSecret,/,
  ],
  ['stripe-secret', '', () => kms.on(DescribeKeyCommand).rejects(denied), /needs kms:DescribeKey,/],
  [
    'stripe-secret-value',
    '',
    () => secrets.on(GetSecretValueCommand).rejects(denied),
    /needs secretsmanager:GetSecretValue, and kms:Decrypt/,
  ],
  [
    'stripe-prices',
    '',
    () => {
      stripeAnswers['/v1/prices'] = stripeError(403)
    },
    /the Stripe key may not read this,/,
  ],
  [
    'stripe-webhook',
    '',
    () => {
      stripeAnswers['/v1/webhook_endpoints'] = stripeError(403)
    },
    /the Stripe key may not read this,/,
  ],
]

describe('an account that is ready', () => {
  test('passes every check, and is named with its region, its versions and its mode', async () => {
    settings.front = { requestsPerFiveMinutes: 3000, webAclArn: undefined, isOnlyWay: false, secretVersion: undefined }
    const { failed, warned, lines, lineOf } = await preflight()
    expect(lines.filter((line) => !/^ok {3}[\w-]+ {2}\d+ ms/.test(line))).toEqual([])
    expect([failed, warned, lines.length]).toEqual([0, 0, preflightCheckNames.length])
    expect(lineOf('credentials')).toMatch(/account 123456789012, arn:aws:iam::123456789012:user\/ada$/)
    expect(lineOf('stripe-account')).toMatch(/test mode of acct_\w+$/)
  })

  test('passes with a wildcard certificate, a key of Secrets Manager, and an endpoint for all events', async () => {
    certificateIs({ DomainName: 'example.com', SubjectAlternativeNames: ['example.com', '*.example.com'] })
    settings.stripe = { secretArn, ...(settings.stripe.apiUrl ? { apiUrl: settings.stripe.apiUrl } : {}) }
    // The console names the key of Secrets Manager too.
    kms.on(DescribeKeyCommand).resolves({ KeyMetadata: { ...customerKey, KeyManager: 'AWS' } })
    stripeAnswers['/v1/webhook_endpoints'] = { body: list(endpoint({ enabled_events: ['*'] })) }
    expect(await preflight()).toMatchObject({ failed: 0, warned: 0 })
  })

  test('is ready although stacks of other stages are not', async () => {
    stacksAre(
      stack('OctomilSettings-dev-a-Api', 'UPDATE_ROLLBACK_FAILED'),
      stack('OctomilSettings-dev-Api', 'UPDATE_ROLLBACK_COMPLETE'),
      stack('OctomilSettings-dev-Meta', 'REVIEW_IN_PROGRESS'),
    )
    expect((await preflight()).lineOf('stacks')).toMatch(/^ok .*2 deployed$/)
  })

  test('needs no domain and no Stripe secret before the first deploy', async () => {
    settings = settingsOf('dev')
    const missing = Object.assign(new Error('Stack does not exist'), { name: 'ValidationError' })
    cloudFormation.on(DescribeStacksCommand).resolves({ Stacks: [] })
    cloudFormation.on(DescribeStacksCommand, { StackName: 'OctomilSettings-dev-Storage' }).rejects(missing)
    const { failed, warned, lines } = await preflight()
    expect([failed, warned]).toEqual([0, 0])
    expect(lines.filter((line) => line.startsWith('skip')).map((line) => line.split(/[ :]+/)[1])).toEqual([
      ...['front', 'certificate', 'hosted-zone', 'stripe-secret', 'stripe-secret-value'],
      ...['stripe-account', 'stripe-prices', 'stripe-webhook'],
    ])
  })

  test('gets a warning about the empty secret of an earlier deploy', async () => {
    settings = settingsOf('dev')
    const Outputs = [{ OutputKey: 'StripeSecretArn', OutputValue: secretArn }]
    stacksAre({ ...stack('OctomilSettings-dev-Storage', 'CREATE_COMPLETE'), Outputs } as ReturnType<typeof stack>)
    secrets.on(DescribeSecretCommand).resolves({})
    secrets.on(GetSecretValueCommand).rejects(awsError('ResourceNotFoundException'))
    expect((await preflight()).lineOf('stripe-secret-value')).toMatch(
      /^warn .*no secret_key yet; billing answers 503, fix: aws secretsmanager put-secret-value --secret-id arn/,
    )
  })

  test('can be checked with a Stripe double, which has no endpoints', async () => {
    stripeAnswers = {}
    expect((await preflight()).lineOf('stripe-webhook')).toMatch(/^skip .*the double of Stripe at stripe_api_url/)
  })

  test('can receive events from a partner source, without an endpoint', async () => {
    settings.stripe.partnerSource = 'aws.partner/stripe.com/ed_1'
    stripeAnswers['/v1/webhook_endpoints'] = { body: list() }
    expect((await preflight()).lineOf('stripe-webhook')).toMatch(/^ok .*events come from aws\.partner/)
  })
})

describe('an account that is not ready', () => {
  test.each(failures)('%s: %s', async (check, _what, arrange, line) => {
    await arrange()
    expect((await preflight()).lineOf(check)).toMatch(line)
  })

  test('has a case for every check', () => {
    expect([...new Set(failures.map(([check]) => check))].sort()).toEqual([...preflightCheckNames].sort())
  })

  test('shows every fix of a live account with --live', async () => {
    secretIs(secretValue({ secret_key: 'sk_live_local' }))
    stripeAnswers['/v1/prices'] = { body: list() }
    expect((await preflight()).lineOf('stripe-prices')).toMatch(/fix: stripe prices create .* --live \(\d+ ms\)$/)
  })

  test('gets no call without credentials', async () => {
    sts.on(GetCallerIdentityCommand).rejects(awsError('CredentialsProviderError'))
    const { failed, lines } = await preflight()
    expect([failed, lines.filter((line) => line.endsWith(': no credentials')).length]).toEqual([
      1,
      preflightCheckNames.length - 2,
    ])
    expect(clients.slice(1).map((client) => client.calls().length)).toEqual(Array(7).fill(0))
  })
})

test.each(denials)(
  'without its permission, %s is a warning that names the permission',
  async (check, _, arrange, needs) => {
    arrange()
    const { failed, lineOf } = await preflight()
    expect(lineOf(check)).toMatch(/^warn .*, fix: grant this action/)
    expect(lineOf(check)).toMatch(needs)
    expect(failed).toBe(0)
  },
)

test('another error of AWS fails only its check', async () => {
  lambda.on(GetAccountSettingsCommand).rejects(awsError('ServiceException'))
  const { failed, lineOf } = await preflight()
  expect([failed, lineOf('concurrency')]).toEqual([
    1,
    expect.stringMatching(/got ServiceException: Serv.*fix: run it again/),
  ])
})

test('the bootstrap version is the one that our aws-cdk-lib requires', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'octomil-preflight-'))
  const app = new App({ outdir })
  const stack = new Stack(app, 'Any')
  new CfnResource(stack, 'Topic', { type: 'AWS::SNS::Topic' })
  const { requiresBootstrapStackVersion } = app.synth().getStackArtifact(stack.artifactId)
  rmSync(outdir, { recursive: true })
  expect(requiresBootstrapStackVersion).toBe(bootstrapVersion)
})
