/** Behaviour of AWS that an emulator does not show, computed from the templates. */
import type { Stack } from 'aws-cdk-lib'
import { beforeAll, describe, expect, test } from 'vitest'
import { backgroundList } from '../../functions/background.ts'
import { catchAll, operationList, routeList } from '../../functions/operations.ts'
import { matchesArn, routeArn } from '../../lib/route-arn.ts'
import { givenOptionsKey, stackName } from '../../lib/stage.ts'
import { routeKeyOf } from '../../shared/http/operation.ts'
import { type Context, everyKindOfStage, fullStage } from './stages.ts'
import { type Resource, stacksOf, synthesize } from './synthesize.ts'

interface Written {
  Resources: Record<string, Resource & { DependsOn?: string | string[] }>
  Outputs?: Record<string, { Value: unknown; Export?: { Name: string } }>
  Metadata?: Record<string, unknown>
}

const written = (context: Context): Map<string, Written> =>
  new Map([...synthesize(context)].map(([name, template]) => [name, template.toJSON() as Written]))

const api = { region: 'eu-west-1', account: '123456789012', apiId: 'a1b2c3d4e5' }
/** Text of a value, with placeholders for `Ref`, `Fn::Join` and imports, whose values the test does not need. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  const { Ref, 'Fn::Join': join, 'Fn::GetAtt': attribute, 'Fn::ImportValue': name } = value as Record<string, unknown>
  if (join) {
    const [separator, parts] = join as [string, unknown[]]
    return parts.map(textOf).join(separator)
  }
  if (Ref === 'AWS::Region') return api.region
  if (Ref === 'AWS::AccountId') return api.account
  if (Ref === 'AWS::Partition') return 'aws'
  if (typeof Ref === 'string' && /HttpApi/.test(Ref)) return api.apiId
  if (typeof name === 'string' && /HttpApi/.test(name)) return api.apiId
  return JSON.stringify(Ref ?? attribute ?? name ?? value)
}

const entriesOf = (templates: Map<string, Written>, type: string) =>
  [...templates].flatMap(([stack, { Resources }]) =>
    Object.entries(Resources)
      .filter(([, { Type }]) => Type === type)
      .map(([id, resource]) => ({ stack, id, ...resource })),
  )

describe.each(everyKindOfStage)('in $kind', ({ context }) => {
  let templates: Map<string, Written>
  beforeAll(() => {
    templates = written(context)
  })
  const all = (type: string) => entriesOf(templates, type)

  test('each route invokes a function whose permission matches the ARN that API Gateway sends', () => {
    const permissions = all('AWS::Lambda::Permission').filter(({ Properties }) =>
      textOf(Properties.Principal).startsWith('apigateway'),
    )
    const integrations = new Map(all('AWS::ApiGatewayV2::Integration').map(({ id, Properties }) => [id, Properties]))
    const keys = ['$default', ...routeList.map(({ route }) => routeKeyOf(route))]
    const routes = all('AWS::ApiGatewayV2::Route')
    expect(routes.map(({ Properties }) => Properties.RouteKey).sort()).toEqual(keys.sort())
    for (const { Properties } of routes) {
      const [method = '', path = ''] = Properties.RouteKey.split(' ')
      const arn = routeArn(api, path ? ({ method, path } as Parameters<typeof routeArn>[1]) : '$default')
      const [, integrationId] = /"?integrations\/"?(\w+)/.exec(textOf(Properties.Target).replaceAll('"', '')) ?? []
      const target = textOf(integrations.get(integrationId ?? '')?.IntegrationUri)
      const sources = permissions
        .filter(({ Properties: { FunctionName } }) => textOf(FunctionName) === target)
        .map(({ Properties: { SourceArn } }) => textOf(SourceArn))
      expect(
        sources.some((source) => matchesArn(source, arn)),
        `${Properties.RouteKey}: ${arn} is none of ${sources}`,
      ).toBe(true)
    }
  })

  test('changes of the API wait for one another, and the stage for all of them', () => {
    const { Resources } = [...templates].find(([name]) => name.endsWith('-Api'))?.[1] ?? { Resources: {} }
    const changes = Object.entries(Resources).filter(([, { Type }]) =>
      ['AWS::ApiGatewayV2::Route', 'AWS::ApiGatewayV2::Integration', 'AWS::ApiGatewayV2::Stage'].includes(Type),
    )
    expect(changes.length).toBeGreaterThan(routeList.length)
    const waiting = new Map(changes.map(([id, { DependsOn = [] }]) => [id, [DependsOn].flat()]))
    const ids = new Set(waiting.keys())
    const before = ([, dependencies]: [string, string[]]) => dependencies.filter((id) => ids.has(id))
    // One chain: each change but the first waits for exactly one other, and no two for the same.
    const followed = [...waiting].flatMap(before)
    expect(followed).toHaveLength(changes.length - 1)
    expect(new Set(followed).size).toBe(followed.length)
    const [stageId] = changes.find(([, { Type }]) => Type === 'AWS::ApiGatewayV2::Stage') ?? []
    expect(followed).not.toContain(stageId)
  })

  test('throttles of routes name routes that exist, and the default of a route is below that of the account', () => {
    const [stage] = all('AWS::ApiGatewayV2::Stage')
    const { RouteSettings = {}, DefaultRouteSettings } = stage?.Properties ?? {}
    const keys = new Set(['$default', ...routeList.map(({ route }) => routeKeyOf(route))])
    expect(Object.keys(RouteSettings).length).toBeGreaterThan(0)
    for (const [key, limits] of Object.entries(RouteSettings)) {
      expect(keys, key).toContain(key)
      expect(limits.ThrottlingRateLimit).toBeGreaterThan(0)
      expect(limits.ThrottlingBurstLimit).toBeGreaterThanOrEqual(limits.ThrottlingRateLimit)
    }
    // Defaults of an account: 10,000 requests a second, 5,000 at once.
    expect(DefaultRouteSettings?.ThrottlingRateLimit).toBeLessThanOrEqual(300)
    expect(DefaultRouteSettings?.ThrottlingBurstLimit).toBeLessThanOrEqual(600)
  })

  test('each function has a unique name that AWS does not truncate and the dashboard shows', () => {
    const names = all('AWS::Lambda::Function').map(({ Properties }) => Properties.FunctionName)
    const hasPool = all('AWS::Cognito::UserPool').length > 0
    const started = backgroundList
      .filter(([, { trigger }]) => hasPool || !('userPool' in trigger))
      .map(([name]) => name)
    const operations: string[] = [...operationList.map(([name]) => name), catchAll.name]
    const nameOf = (name: string) => `octomil-${context.stage}-${name.replace('/', '-')}`
    expect(names.sort()).toEqual([...operations, ...started].map(nameOf).sort())
    const [dashboard] = all('AWS::CloudWatch::Dashboard')
    const shown = textOf(dashboard?.Properties.DashboardBody)
    for (const name of names) {
      expect(name).toMatch(/^[\w-]{1,64}$/)
    }
    for (const name of operations) expect(shown, name).toContain(`"FunctionName","${nameOf(name)}"`)
  })

  test('function names fit in a stage with the longest allowed name', () => {
    const longest = Math.max(...[...operationList, ...backgroundList].map(([name]) => name.length))
    expect('octomil-'.length + 20 + 1 + longest).toBeLessThanOrEqual(64)
  })

  test('each alarm watches an existing resource: API, table, function or queue', () => {
    const functions = new Set(all('AWS::Lambda::Function').map(({ Properties }) => Properties.FunctionName))
    const exported = new Set(
      [...templates.values()].flatMap(({ Outputs = {} }) =>
        Object.values(Outputs).flatMap(({ Export }) => (Export ? [Export.Name] : [])),
      ),
    )
    const metrics = all('AWS::CloudWatch::Alarm').flatMap(({ Properties: { Metrics, ...single } }) =>
      Metrics ? Metrics.flatMap(({ MetricStat }) => MetricStat?.Metric ?? []) : [single],
    )
    expect(metrics.length).toBeGreaterThanOrEqual(13)
    for (const { Namespace, MetricName, Dimensions = [] } of metrics) {
      for (const { Name, Value } of Dimensions) {
        if (Name === 'FunctionName') expect(functions, MetricName).toContain(Value)
        else if (Name === 'stage') expect(Value).toBe(context.stage)
        else expect(exported, `${Namespace} ${MetricName} ${Name}`).toContain(Value['Fn::ImportValue'])
      }
    }
  })

  test('each alarm ends: missing data is filled or treated as fine, and the end notifies too', () => {
    for (const { Properties } of all('AWS::CloudWatch::Alarm')) {
      const { AlarmName, AlarmActions, OKActions, Metrics = [] } = Properties
      expect(OKActions, AlarmName).toEqual(AlarmActions)
      const expressions = Metrics.flatMap(({ Expression }) => Expression ?? [])
      for (const expression of expressions) expect(expression, AlarmName).toContain('FILL(')
    }
  })

  test('the variables of a function stay within Lambda’s limit of 4 KB', () => {
    for (const { id, Properties } of all('AWS::Lambda::Function')) {
      const size = Buffer.byteLength(JSON.stringify(Properties.Environment?.Variables ?? {}))
      expect(size, id).toBeLessThan(3072)
    }
  })

  test('a first deploy is few stacks deep, and no stack is near the limits of CloudFormation', () => {
    const stacks = stacksOf(context)
    const depth = (stack: Stack): number => 1 + Math.max(0, ...stack.dependencies.map(depth))
    expect(Math.max(...stacks.map(depth))).toBeLessThanOrEqual(6)
    for (const [name, template] of templates) {
      expect(Object.keys(template.Resources).length, name).toBeLessThanOrEqual(400)
      expect(Buffer.byteLength(JSON.stringify(template)), name).toBeLessThan(700_000)
    }
  })

  test('a protected stage protects every stack from deletion, and a disposable stage protects none', () => {
    const stacks = stacksOf(context)
    const isProtected = context.stage === 'prod'
    for (const { stackName, terminationProtection } of stacks)
      expect(terminationProtection ?? false, stackName).toBe(isProtected)
  })

  test('a failed first deploy leaves only resources protected from deletion, or the key of a key admin', () => {
    // Deletion protection, and the deny for all but the key admin, would refuse the roll-back.
    const left =
      context.stage === 'prod' ? ['AWS::DynamoDB::GlobalTable', 'AWS::Cognito::UserPool', 'AWS::KMS::Key'] : []
    for (const { Resources } of templates.values())
      for (const [id, { Type, DeletionPolicy }] of Object.entries(Resources))
        if (!left.includes(Type)) expect(DeletionPolicy, id).not.toBe('Retain')
  })
})

describe('an option that is added or taken away later', () => {
  test('changes an output besides the metadata: CloudFormation refuses an update of metadata alone', () => {
    const apiOf = (context: Context) => written(context).get(stackName('dev', 'Api'))
    const [before, after] = [apiOf({ stage: 'dev' }), apiOf({ stage: 'dev', alarm_email: 'oncall@example.com' })]
    expect(after?.Metadata).toMatchObject({ [givenOptionsKey]: { alarm_email: 'oncall@example.com' } })
    expect(after?.Outputs?.OptionsDigest).not.toEqual(before?.Outputs?.OptionsDigest)
  })

  const full: Context = {
    ...fullStage,
    web: 'off',
    front: 'on',
    close_api_address: 'on',
    front_certificate_arn: 'arn:aws:acm:us-east-1:123456789012:certificate/0f1e2d3c',
    posture: 'disposable',
  }
  const base = { stage: 'prod' }
  /** Options that only make sense together. */
  const groups = [
    ['stripe_secret_arn', 'stripe_secret_key_arn'],
    ['oidc_issuer', 'oidc_audience', 'oidc_jwks_uri'],
    ['domain_name', 'certificate_arn', 'hosted_zone_id', 'hosted_zone_name'],
    ['vpc_id', 'subnet_ids', 'security_group_ids', 'route_table_ids'],
    ['alarm_email', 'monthly_budget_usd'],
    ['backup_copy_vault_arn'],
    ['key_admin_role_arn'],
    ['stripe_partner_source'],
    ['cors_origins'],
    ['allowed_cidrs'],
    ['web'],
    ['posture'],
    ['throttle_rate'],
    ['lambda_concurrency'],
    ['billing_override'],
  ]

  const exportsOf = ({ Outputs = {} }: Written) =>
    new Map(Object.values(Outputs).flatMap(({ Export, Value }) => (Export ? [[Export.Name, Value] as const] : [])))
  const importsOf = (template: Written): string[] =>
    [...JSON.stringify(template).matchAll(/"Fn::ImportValue":"([^"]+)"/g)].map(([, name = '']) => name)

  /** Exports that a deploy of `next` over `previous` drops or changes while deployed stacks still import them. */
  function refused(previous: Map<string, Written>, next: Map<string, Written>): string[] {
    return [...next].flatMap(([name, template]) => {
      const deployed = previous.get(name)
      if (!deployed) return []
      const [before, after] = [exportsOf(deployed), exportsOf(template)]
      const inUse = new Set([...previous].flatMap(([, consumer]) => importsOf(consumer)))
      return [...before]
        .filter(([exported, value]) => JSON.stringify(after.get(exported)) !== JSON.stringify(value))
        .map(([exported]) => exported)
        .filter((exported) => inUse.has(exported))
    })
  }

  /** Resources with an explicit name, by type and property. CloudFormation creates a replacement before it deletes. */
  const named: Record<string, string> = {
    'AWS::Route53::RecordSet': 'Name',
    'AWS::Lambda::Function': 'FunctionName',
    'AWS::S3::Bucket': 'BucketName',
    'AWS::Events::EventBus': 'Name',
    'AWS::KMS::Alias': 'AliasName',
    'AWS::CloudWatch::Alarm': 'AlarmName',
    'AWS::CloudWatch::Dashboard': 'DashboardName',
    'AWS::ApiGatewayV2::DomainName': 'DomainName',
    'AWS::Backup::BackupVault': 'BackupVaultName',
    'AWS::Budgets::Budget': 'Budget.BudgetName',
  }
  const namesOf = (templates: Map<string, Written>) =>
    new Map(
      [...templates].flatMap(([stack, { Resources }]) =>
        Object.entries(Resources).flatMap(([id, { Type, Properties }]) => {
          const part = (value: unknown, member: string): unknown =>
            (value as Record<string, unknown> | undefined)?.[member]
          const name = named[Type]?.split('.').reduce(part, Properties)
          return name === undefined ? [] : [[`${Type} ${JSON.stringify(name)}`, `${stack} ${id}`] as const]
        }),
      ),
    )
  /** Names that a new resource would take before the old one is deleted. */
  const taken = (previous: Map<string, Written>, next: Map<string, Written>): string[] => {
    const before = namesOf(previous)
    return [...namesOf(next)].filter(([name, id]) => before.has(name) && before.get(name) !== id).map(([name]) => name)
  }
  /** Properties that no update can change. */
  const immutable = (templates: Map<string, Written>) =>
    entriesOf(templates, 'AWS::KMS::Key').map(({ Properties }) => Properties.MultiRegion)

  const bare = written(base)
  test.each(groups.map((group) => ({ group })))('$group: neither way drops an export that is imported', ({ group }) => {
    const other = written({ ...base, ...Object.fromEntries(group.map((name) => [name, full[name] ?? ''])) })
    for (const [previous, next] of [[bare, other] as const, [other, bare] as const]) {
      expect(refused(previous, next)).toEqual([])
      expect(taken(previous, next)).toEqual([])
      expect(immutable(next)).toEqual(immutable(previous))
    }
  })

  test('removing a front needs two deploys: first off, then omitted', () => {
    const domain = Object.fromEntries(
      ['domain_name', 'certificate_arn', 'hosted_zone_id', 'hosted_zone_name'].map((name) => [name, full[name] ?? '']),
    )
    const steps = [
      { ...base, ...domain },
      { ...base, ...domain, front: 'on', front_certificate_arn: full.front_certificate_arn ?? '' },
      {
        ...base,
        ...domain,
        front: 'on',
        close_api_address: 'on',
        front_certificate_arn: full.front_certificate_arn ?? '',
      },
      { ...base, ...domain, front: 'off', front_certificate_arn: '' },
      { ...base, ...domain },
    ].map(written)
    for (const [index, next] of steps.slice(1).entries()) {
      const previous = steps[index] as Map<string, Written>
      expect(refused(previous, next), `step ${index + 1}`).toEqual([])
      expect(taken(previous, next), `step ${index + 1}`).toEqual([])
    }
  })

  test('a dropped export in use is found', () => {
    const less = written(base)
    const storage = [...less].find(([name]) => name.endsWith('-Storage'))?.[1]
    for (const [id, { Export }] of Object.entries(storage?.Outputs ?? {}))
      if (Export?.Name.includes('StripeSecret')) delete storage?.Outputs?.[id]
    expect(refused(bare, less)).toEqual([expect.stringContaining('StripeSecret')])
  })
})
