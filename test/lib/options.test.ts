/** What the options of a stage add to its templates, and that nothing of it is there without them. */
import { describe, expect, test } from 'vitest'
import { backgroundList } from '../../functions/background.ts'
import { operationList } from '../../functions/operations.ts'
import type { Access } from '../../shared/access.ts'
import { bareStage, type Context, fullStage } from './stages.ts'
import { ofType, type Resource, resourcesOf, stacksOf, synthesize } from './synthesize.ts'

const resourcesIn = (context: Context) => resourcesOf(synthesize(context).values())
const full = resourcesIn(fullStage)
const bare = resourcesIn(bareStage)

const deployed: readonly (readonly [string, { id: string; access: Access }])[] = [...operationList, ...backgroundList]
const callingOut = deployed.filter(([, { access }]) => access.internet).map(([, { id }]) => id)
const isOf = (ids: readonly string[], { Properties }: Resource) =>
  ids.some((id) => Properties.Description.startsWith(`${id}: `))

describe('a VPC', () => {
  test('contains exactly the functions that make outbound calls', () => {
    expect(callingOut.length).toBeGreaterThan(0)
    for (const lambda of ofType(full, 'AWS::Lambda::Function')) {
      const { VpcConfig, Description } = lambda.Properties
      expect(VpcConfig !== undefined, Description).toBe(isOf(callingOut, lambda))
      if (VpcConfig)
        expect(VpcConfig).toEqual({
          SubnetIds: fullStage.subnet_ids?.split(','),
          SecurityGroupIds: [fullStage.security_group_ids],
        })
    }
    for (const { Properties } of ofType(bare, 'AWS::Lambda::Function'))
      expect(Properties).not.toHaveProperty('VpcConfig')
  })

  test('is attached by Lambda alone: the code of a function may not touch network interfaces', () => {
    const roles = ofType(full, 'AWS::IAM::Role').filter(({ Properties }) =>
      JSON.stringify(Properties.Policies ?? []).includes('ec2:CreateNetworkInterface'),
    )
    expect(roles).toHaveLength(callingOut.length)
    for (const { Properties } of roles) {
      const statements = Properties.Policies.flatMap(({ PolicyDocument }) =>
        PolicyDocument.Statement.filter(({ Action }) => [Action].flat().some((action) => action.startsWith('ec2:'))),
      )
      const [allowed, denied] = statements
      expect(allowed).toMatchObject({ Effect: 'Allow', Resource: '*' })
      expect(denied).toMatchObject({ Effect: 'Deny', Resource: '*', Action: allowed?.Action })
      expect(denied?.Condition.ArnEquals).toHaveProperty(['lambda:SourceFunctionArn'])
    }
    expect(JSON.stringify(bare)).not.toContain('ec2:')
  })

  test('reaches the table through a gateway endpoint in the route tables that are named', () => {
    expect(ofType(full, 'AWS::EC2::VPCEndpoint').map(({ Properties }) => Properties)).toMatchObject([
      { VpcId: fullStage.vpc_id, VpcEndpointType: 'Gateway', RouteTableIds: [fullStage.route_table_ids] },
    ])
    expect(ofType(bare, 'AWS::EC2::VPCEndpoint')).toEqual([])
  })
})

describe('backups elsewhere', () => {
  test('one a day of the table, kept for 35 days here and in the vault that is named', () => {
    const [plan] = ofType(full, 'AWS::Backup::BackupPlan')
    expect(plan?.Properties.BackupPlan.BackupPlanRule).toMatchObject([
      {
        ScheduleExpression: 'cron(0 3 * * ? *)',
        Lifecycle: { DeleteAfterDays: 35 },
        CopyActions: [
          { DestinationBackupVaultArn: fullStage.backup_copy_vault_arn, Lifecycle: { DeleteAfterDays: 35 } },
        ],
      },
    ])
    const [selection] = ofType(full, 'AWS::Backup::BackupSelection')
    expect(JSON.stringify(selection?.Properties.BackupSelection.Resources)).toContain('Table')
    expect(ofType(bare, 'AWS::Backup::BackupPlan')).toEqual([])
  })

  test('only the role that is named may delete or disable the key', () => {
    const denials = (resources: Resource[]) =>
      ofType(resources, 'AWS::KMS::Key').flatMap(({ Properties }) =>
        Properties.KeyPolicy.Statement.filter(({ Effect }) => Effect === 'Deny'),
      )
    expect(denials(full)).toMatchObject([
      {
        Action: expect.arrayContaining(['kms:ScheduleKeyDeletion', 'kms:DisableKey', 'kms:DeleteImportedKeyMaterial']),
        Principal: { AWS: '*' },
        Condition: { ArnNotEquals: { 'aws:PrincipalArn': fullStage.key_admin_role_arn } },
      },
    ])
    expect(denials(bare)).toEqual([])
  })
})

test('a key that exists already is used instead of one of the stage', () => {
  const secrets_key_arn = 'arn:aws:kms:eu-west-1:123456789012:key/mrk-0f1e2d3c000040008000000000000000'
  const resources = resourcesIn({ ...bareStage, secrets_key_arn })
  expect(ofType(resources, 'AWS::KMS::Key').map(({ Properties }) => Properties.KeyUsage)).toEqual(['SIGN_VERIFY'])
  const keyActions = (each: Resource[]) => JSON.stringify(each).match(/"kms:(?:En|De)crypt"/g)?.length
  expect(keyActions(resources)).toBe(keyActions(bare))
  for (const { Properties } of ofType(resources, 'AWS::Lambda::Function')) {
    const { SECRETS_KEY_ID = secrets_key_arn } = Properties.Environment.Variables
    expect(SECRETS_KEY_ID).toBe(secrets_key_arn)
  }
})

test('a budget mails the address of alarms at 80 % and at 100 %', () => {
  const [budget] = ofType(full, 'AWS::Budgets::Budget')
  expect(budget?.Properties.Budget).toMatchObject({
    BudgetType: 'COST',
    TimeUnit: 'MONTHLY',
    BudgetLimit: { Amount: 200 },
  })
  const thresholds = budget?.Properties.NotificationsWithSubscribers.map(({ Notification, Subscribers }) => [
    Notification.Threshold,
    Subscribers[0]?.Address,
  ])
  expect(thresholds).toEqual([
    [80, 'oncall@example.com'],
    [100, 'oncall@example.com'],
  ])
  expect(ofType(bare, 'AWS::Budgets::Budget')).toEqual([])
})

test('a Stripe secret under a customer-managed key: its readers may decrypt with that key, by way of Secrets Manager only', () => {
  const decrypting = (resources: Resource[]) =>
    ofType(resources, 'AWS::IAM::Role').flatMap(({ Properties }) =>
      (Properties.Policies ?? []).flatMap(({ PolicyDocument }) =>
        PolicyDocument.Statement.filter(({ Resource }) => Resource === fullStage.stripe_secret_key_arn),
      ),
    )
  const readers = JSON.stringify(full).match(/secretsmanager:GetSecretValue/g) ?? []
  expect(decrypting(full)).toHaveLength(readers.length)
  for (const statement of decrypting(full))
    expect(statement).toMatchObject({
      Action: 'kms:Decrypt',
      Condition: { StringEquals: { 'kms:ViaService': 'secretsmanager.us-east-1.amazonaws.com' } },
    })
  expect(decrypting(bare)).toEqual([])
})

test('beside a custom domain, the address that AWS gives an API is closed', () => {
  const [api] = ofType(full, 'AWS::ApiGatewayV2::Api')
  expect(api?.Properties.DisableExecuteApiEndpoint).toBe(true)
  expect(ofType(bare, 'AWS::ApiGatewayV2::Api')[0]?.Properties.DisableExecuteApiEndpoint).not.toBe(true)
})

test('synth warns of a protected stage whose alarms reach no person', () => {
  const warnings = (context: Context) =>
    stacksOf(context).flatMap(({ node }) => node.metadata.filter(({ type }) => type === 'aws:cdk:warning'))
  expect(JSON.stringify(warnings({ stage: 'prod' }))).toContain('has no alarm_email')
  expect(warnings({ stage: 'prod', alarm_email: 'oncall@example.com' })).toEqual([])
  expect(warnings(bareStage)).toEqual([])
})
