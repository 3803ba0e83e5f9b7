/** The synthesized templates, held against the contracts and the promises of the architecture. */
import type { Template } from 'aws-cdk-lib/assertions'
import { beforeAll, describe, expect, test } from 'vitest'
import { backgroundList } from '../../functions/background.ts'
import { deployedOperations, operationList, routeList } from '../../functions/operations.ts'
import { readStageSettings, stackName } from '../../lib/stage.ts'
import { StageSettingsError } from '../../lib/stage-error.ts'
import { routeKeyOf } from '../../shared/http/operation.ts'
import {
  ofType,
  type Policy,
  type Properties,
  propertiesOf,
  type Resource,
  resourcesOf,
  synthesize,
} from './synthesize.ts'

const everyOperation = deployedOperations
/** All deployed functions. */
const everyFunction = [...everyOperation, ...backgroundList].map(([, declared]) => declared)

let dev: Map<string, Template>
let prod: Map<string, Template>
let all: Resource[]

beforeAll(() => {
  dev = synthesize({ stage: 'dev', cors_origins: 'https://dashboard.example.com' })
  prod = synthesize({ stage: 'prod', oidc_issuer: 'https://id.example.com', oidc_audience: 'client' })
  all = resourcesOf(dev.values())
})

describe('functions and their permissions', () => {
  test.each(everyFunction)(
    '$id: the statements of its role are its log stream and the access of its contract, no more',
    (declared) => {
      const { access } = declared
      const { resources, id } = findFunction(declared.id)
      const [roleId] = resources[id]?.Properties.Role['Fn::GetAtt'] ?? []
      const role = resources[roleId ?? '']
      expect(role?.Properties.ManagedPolicyArns).toBeUndefined()
      const policies = ofType(Object.values(resources), 'AWS::IAM::Policy').filter(({ Properties }) =>
        Properties.Roles.some(({ Ref }) => Ref === roleId),
      )
      const documents: Policy[] = [
        ...(role?.Properties.Policies ?? []),
        ...policies.map(({ Properties }) => Properties),
      ]
      const statements = documents.flatMap((policy) =>
        // The CDK decides their order.
        policy.PolicyDocument.Statement.flatMap((statement) =>
          // It also merges statements of the same actions.
          [statement.Resource].flat().map((Resource) => ({
            ...statement,
            Action: [statement.Action].flat().toSorted(),
            Resource,
          })),
        ),
      )
      const logs = {
        Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        Effect: 'Allow',
        Resource: expect.anything(),
      }
      const actions = access.table.map((action) => `dynamodb:${action}`).sort()
      const table = { Action: actions, Effect: 'Allow', Resource: imported('Table') }
      const { secrets } = access
      const keyStatement = {
        Action: [secrets?.action === 'decrypt' ? 'kms:Decrypt' : 'kms:Encrypt'],
        Effect: 'Allow',
        Resource: imported('SecretsKey'),
        Condition: { StringEquals: { 'kms:EncryptionContext:purpose': secrets?.purpose } },
      }
      const stripe = { Action: ['secretsmanager:GetSecretValue'], Effect: 'Allow', Resource: imported('StripeSecret') }
      const bus = { Action: ['events:PutEvents'], Effect: 'Allow', Resource: imported('Bus') }
      const auditKey = {
        Action: access.auditKey === 'sign' ? ['kms:GetPublicKey', 'kms:Sign'] : ['kms:GetPublicKey'],
        Effect: 'Allow',
        Resource: imported('AuditKey'),
      }
      const stream = {
        Action: ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'],
        Effect: 'Allow',
        Resource: imported('StreamArn'),
      }
      const isLocal = 'trigger' in declared
      const queueNamed = (part: string) => (isLocal ? inStack(part) : imported(part))
      const queueing = { Action: ['sqs:SendMessage'], Effect: 'Allow', Resource: queueNamed('Deliveries') }
      const receiving = {
        Action: [...['sqs:DeleteMessage', 'sqs:GetQueueAttributes'], ...['sqs:ReceiveMessage', 'sqs:SendMessage']],
        Effect: 'Allow',
        Resource: queueNamed('Deliveries'),
      }
      const ownDeadLetters = { Action: ['sqs:SendMessage'], Effect: 'Allow', Resource: inStack('DeadLetters') }
      const poolActions = 'userPool' in access ? access.userPool.map((action) => `cognito-idp:${action}`) : []
      const pool = { Action: poolActions, Effect: 'Allow', Resource: inStack('UserPool') }
      const wanted = [
        logs,
        ...(actions.length > 0 ? [table] : []),
        ...(secrets ? [keyStatement] : []),
        ...(access.auditKey ? [auditKey] : []),
        ...(access.stripe ? [stripe] : []),
        ...(access.events ? [bus] : []),
        ...(poolActions.length > 0 ? [pool] : []),
        ...(access.deliveries === 'send' ? [queueing] : []),
        ...(access.deliveries === 'receive' ? [receiving] : []),
        ...('trigger' in declared && 'tableStream' in declared.trigger ? [stream] : []),
        // Lambda sends failed events of a background function under the function's role. A user pool waits for its answer.
        ...('trigger' in declared && !('userPool' in declared.trigger) ? [ownDeadLetters] : []),
      ]
      expect(statements).toHaveLength(wanted.length)
      for (const statement of wanted) expect(statements).toContainEqual(statement)
    },
  )

  test('only functions that deliver may send mail, from the sender of the stage only', () => {
    const mailing = resourcesOf(synthesize({ stage: 'dev', mail_from: 'alerts@example.com' }).values())
    const roles = ofType(mailing, 'AWS::IAM::Role').flatMap(({ Properties }) => Properties.Policies ?? [])
    const statements = roles.flatMap(({ PolicyDocument }) => PolicyDocument.Statement)
    const sending = statements.filter(({ Action }) => [Action].flat().includes('ses:SendEmail'))
    expect(sending).toHaveLength(everyFunction.filter(({ access }) => access.mail === 'send').length)
    for (const { Condition } of sending)
      expect(Condition).toEqual({ StringEquals: { 'ses:FromAddress': 'alerts@example.com' } })
  })

  test('slow receivers and name servers leave senders, threads and the API room', () => {
    const mappings = ofType(all, 'AWS::Lambda::EventSourceMapping').map(({ Properties }) => Properties)
    expect(mappings.filter(({ ScalingConfig }) => ScalingConfig)).toEqual([
      expect.objectContaining({
        ScalingConfig: { MaximumConcurrency: 500 },
        FunctionResponseTypes: ['ReportBatchItemFailures'],
      }),
    ])
    const threads = ofType(all, 'AWS::Lambda::Function')
      .filter(({ Properties }) => Properties.FunctionName.endsWith('integrations-send'))
      .map(({ Properties }) => Properties.Environment.Variables.UV_THREADPOOL_SIZE)
    expect(threads).toEqual(['64'])
  })

  test.each([
    [10, 5],
    [2, 2],
    [5000, 1000],
  ])('of an account that runs %d functions at once, at most %d are senders', (lambda_concurrency, most) => {
    const resources = resourcesOf(synthesize({ stage: 'dev', lambda_concurrency: String(lambda_concurrency) }).values())
    const limits = ofType(resources, 'AWS::Lambda::EventSourceMapping').flatMap(
      ({ Properties }) => Properties.ScalingConfig ?? [],
    )
    expect(limits).toEqual([{ MaximumConcurrency: most }])
  })

  const imported = (part: string) => ({ 'Fn::ImportValue': expect.stringContaining(part) })
  const inStack = (part: string) => ({ 'Fn::GetAtt': [expect.stringContaining(part), 'Arn'] })

  test('no statement anywhere allows every action or every resource, or a scan', () => {
    const policies = all.flatMap(({ Type, Properties }) =>
      Type === 'AWS::IAM::Policy'
        ? [Properties.PolicyDocument]
        : Type === 'AWS::IAM::Role'
          ? (Properties.Policies ?? []).map((policy) => policy.PolicyDocument)
          : [],
    )
    expect(policies.length).toBeGreaterThanOrEqual(everyFunction.length)
    for (const { Statement } of policies) {
      for (const { Action, Resource } of Statement) {
        for (const action of [Action].flat()) expect(action).not.toMatch(/\*|Scan/)
        for (const resource of [Resource].flat()) expect(resource).not.toBe('*')
      }
    }
  })

  test('every function runs on Node 24 and ARM, ends in time, and keeps its logs for a time', () => {
    expect(ofType(all, 'AWS::Lambda::Function')).toHaveLength(everyFunction.length)
    for (const declared of everyFunction) {
      const { Properties } = resourceOf(declared.id)
      // Operations answer before API Gateway gives up.
      if ('trigger' in declared) expect(Properties.Timeout).toBe(declared.timeoutSeconds)
      else expect(Properties.Timeout).toBeLessThan(30)
      expect(Properties.Runtime).toBe('nodejs24.x')
      expect(Properties.Architectures).toEqual(['arm64'])
      expect(Properties.LoggingConfig.LogGroup).toBeDefined()
    }
    for (const { Properties } of ofType(all, 'AWS::Logs::LogGroup'))
      expect(Properties.RetentionInDays).toBeGreaterThan(0)
  })

  test('only functions that may touch the table, Stripe or the bus know which', () => {
    for (const { id, access } of everyFunction) {
      const variables = resourceOf(id).Properties.Environment.Variables
      expect('TABLE_NAME' in variables, id).toBe(access.table.length > 0)
      expect('STRIPE_SECRET_ARN' in variables, id).toBe(access.stripe === true)
      expect('EVENT_BUS_NAME' in variables, id).toBe(access.events === 'put')
      expect('DELIVERY_QUEUE_URL' in variables, id).toBe(access.deliveries !== undefined)
      expect('DELIVERY_DEAD_LETTERS_URL' in variables, id).toBe(access.deliveries === 'receive')
    }
  })

  test('no template contains a secret of Stripe: it is created empty and set after the deploy', () => {
    const [secret, ...more] = ofType(all, 'AWS::SecretsManager::Secret')
    expect(more).toEqual([])
    expect(Object.keys(secret?.Properties ?? {}).sort()).toEqual(['Description', 'Tags'])
    const templates = JSON.stringify([...dev.values()].map((template) => template.toJSON()))
    expect(templates).not.toMatch(/(sk|rk)_(test|live)_\w|whsec_\w/)
  })

  function resourceOf(functionId: string): Resource {
    const { resources, id } = findFunction(functionId)
    return resources[id] as Resource
  }

  function findFunction(functionId: string): { resources: Record<string, Resource>; id: string } {
    for (const template of dev.values()) {
      const resources = template.toJSON().Resources as Record<string, Resource>
      const found = Object.entries(resources).find(
        ([, { Type, Properties }]) =>
          Type === 'AWS::Lambda::Function' && Properties.Description.startsWith(`${functionId}: `),
      )
      if (found) return { resources, id: found[0] }
    }
    throw new Error(`no function for ${functionId}`)
  }
})

const propertiesOfFunction = (operationId: string): Properties =>
  propertiesOf(all, 'AWS::Lambda::Function', ({ Description }) => Description.startsWith(`${operationId}: `))

describe('the API', () => {
  test('has exactly the routes of both faces of the operations, a HEAD beside each GET, and the catch-all', () => {
    const routes = ofType(all, 'AWS::ApiGatewayV2::Route').map(({ Properties }) => Properties.RouteKey)
    const expected = ['$default', ...routeList.map(({ route }) => routeKeyOf(route))]
    expect(routes.sort()).toEqual(expected.sort())
    // API Gateway's quota of routes of an API.
    expect(routes.length).toBeLessThan(300)
  })

  test('leaves CORS to the functions, since its own is one list for all routes; each function knows the dashboards', () => {
    for (const templates of [all, resourcesOf(prod.values())]) {
      const [api] = ofType(templates, 'AWS::ApiGatewayV2::Api')
      expect(api?.Properties.CorsConfiguration).toBeUndefined()
    }
    for (const [, { id }] of everyOperation) {
      const { Environment } = propertiesOfFunction(id)
      expect(Environment.Variables.DASHBOARD_ORIGINS, id).toBe('https://dashboard.example.com')
    }
  })

  test('is throttled and logs every request without its path, query and headers', () => {
    const [stage] = ofType(all, 'AWS::ApiGatewayV2::Stage')
    expect(stage?.Properties.DefaultRouteSettings.ThrottlingRateLimit).toBeGreaterThan(0)
    expect(stage?.Properties.AccessLogSettings.Format).toContain('$context.requestId')
    expect(stage?.Properties.AccessLogSettings.Format).not.toMatch(/path|query|header|authorizer/i)
  })
})

describe('retained resources', () => {
  test('in prod the table and the key outlive the stacks, and the table is protected from deletion', () => {
    const kept = resourcesOf([prod.get(stackName('prod', 'Storage')) as Template])
    const [table] = ofType(kept, 'AWS::DynamoDB::GlobalTable')
    expect(table?.DeletionPolicy).toBe('Retain')
    expect(table?.Properties.Replicas[0]).toMatchObject({
      DeletionProtectionEnabled: true,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    })
    expect(table?.Properties.TimeToLiveSpecification).toEqual({ AttributeName: 'expires_at_epoch', Enabled: true })
    const [secret] = ofType(kept, 'AWS::SecretsManager::Secret')
    expect(secret?.DeletionPolicy).toBe('RetainExceptOnCreate')
    const [key] = ofType(kept, 'AWS::KMS::Key')
    expect(key).toMatchObject({
      DeletionPolicy: 'RetainExceptOnCreate',
      Properties: { EnableKeyRotation: true, MultiRegion: true },
    })
  })

  test('in dev every resource is deleted with its stack', () => {
    for (const { Type, DeletionPolicy } of all) expect(DeletionPolicy ?? 'Delete', Type).not.toMatch(/Retain/)
  })

  test('no stack comes near the limit of 500 resources', () => {
    for (const [name, template] of dev)
      expect(Object.keys(template.toJSON().Resources).length, name).toBeLessThanOrEqual(400)
  })
})

describe('stage settings', () => {
  const read = (context: Record<string, string>) => () => readStageSettings((name) => context[name])

  test.each([
    [{ stage: 'Prod!' }, /stage=Prod!.*a-z/],
    [{ cors_origins: 'https://a.example/' }, /cors_origins.*no slash/],
    [{ oidc_issuer: 'https://id.example.com' }, /oidc_audience/],
    [{ oidc_issuer: 'http://id.example.com', oidc_audience: 'x' }, /oidc_issuer=.*https/],
    [{ oidc_audience: 'x' }, /oidc_audience.*oidc_issuer/],
    [{ allowed_cidrs: '10.0.0.0' }, /allowed_cidrs.*10\.0\.0\.0\/16/],
    [{ allowed_cidrs: '10.0.0.0/8,169.254.0.0/16' }, /allowed_cidrs.*169\.254\.169\.254/],
    [{ allowed_cidrs: '::/0' }, /allowed_cidrs.*fd00:ec2::254/],
    [{ provider_base_urls: 'openia=https://a.example' }, /provider_base_urls.*openia/],
    [{ provider_base_urls: 'azure_openai=https://a.example' }, /provider_base_urls.*azure_openai/],
    [{ provider_base_urls: 'openai=http://127.0.0.1:9' }, /provider_base_urls.*must not name/],
    [{ local_runtime: 'ollama' }, /local_runtime_url/],
    [{ local_runtime_url: 'https://r.example.com', local_runtime: 'lama' }, /local_runtime=lama.*ollama/],
    [{ sign_in_providers: 'google,myspace' }, /sign_in_providers.*myspace.*github/],
    [{ oidc_issuer: 'https://id.example.com', oidc_audience: 'x', oidc_jwks_uri: 'ftp://x' }, /oidc_jwks_uri=/],
    [{ stripe_partner_source: 'ed_1' }, /stripe_partner_source=ed_1.*aws\.partner/],
    [{ stripe_partner_source: 'aws.partner/stripe.com/ed_1/x' }, /stripe_partner_source=/],
    [{ stripe_account: '7' }, /stripe_account=7.*acct_/],
    [{ stripe_api_url: 'https://stripe.example.com' }, /stripe_api_url=.*loopback/],
    [{ stripe_api_url: 'http://127.0.0.1.example.com' }, /stripe_api_url=.*loopback/],
    [{ stripe_api_url: 'localhost:1' }, /stripe_api_url=.*loopback/],
  ])('%j is refused at synth with a message that names the value', (context, message) => {
    expect(read(context)).toThrow(StageSettingsError)
    expect(read(context)).toThrow(message)
  })

  test('sign-in reaches every function that authenticates', () => {
    const functions = ofType(resourcesOf(prod.values()), 'AWS::Lambda::Function')
    const knowing = functions.filter(
      ({ Properties }) => Properties.Environment.Variables.OIDC_ISSUER === 'https://id.example.com',
    )
    expect(knowing).toHaveLength(operationList.filter(([, { scope }]) => scope !== 'public').length)
  })
})
