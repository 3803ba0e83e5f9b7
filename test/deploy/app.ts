/**
 * The app for the emulator: the stacks of `bin/settings-api.ts`, without the features that the emulator lacks. The test's
 * output names the omitted parts, because it does not prove them.
 */
import { App, CfnResource, Stack } from 'aws-cdk-lib'
import { CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch'
import { UserPool } from 'aws-cdk-lib/aws-cognito'
import { CfnRole } from 'aws-cdk-lib/aws-iam'
import { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import { CfnBucketPolicy } from 'aws-cdk-lib/aws-s3'
import { CfnQueuePolicy } from 'aws-cdk-lib/aws-sqs'
import { addStacks } from '../../lib/app.ts'
import { stageSettingsOf } from '../../lib/stage-context.ts'
import { environmentNames } from '../../shared/runtime/environment.ts'

const unknownTypes = new Set(['AWS::Events::Archive'])
/** The emulator never fulfills a condition on an unknown key, so it would refuse the action to all callers. */
const unknownConditionKey = 'kms:EncryptionContext:'

const app = new App()
addStacks(app, stageSettingsOf(app))
const userPool = app.node.findAll().find((construct) => construct instanceof UserPool)
for (const construct of app.node.findAll()) {
  // The pool's own trigger checks no tokens.
  const checksTokens = construct instanceof LambdaFunction && construct.stack !== userPool?.stack
  if (userPool && checksTokens) readKeysFromEmulator(construct, userPool)
  if (construct instanceof CfnRole) dropUnknownConditions(construct)
  if (construct instanceof CfnQueuePolicy || construct instanceof CfnBucketPolicy) allowPlainHttp(construct)
  if (construct instanceof CfnAlarm && construct.metrics) watchOneMetric(construct)
  if (!CfnResource.isCfnResource(construct) || !unknownTypes.has(construct.cfnResourceType)) continue
  console.error(`NOT PROVED: ${construct.cfnResourceType} ${construct.node.path} is left out`)
  construct.node.scope?.node.tryRemoveChild(construct.node.id)
}

/** The emulator's tokens name AWS's own address as their issuer, as AWS's do; the keys to check them by are with it. */
function readKeysFromEmulator(lambda: LambdaFunction, { userPoolId }: UserPool): void {
  const jwksUri = `${process.env.AWS_ENDPOINT_URL}/${userPoolId}/.well-known/jwks.json`
  lambda.addEnvironment(environmentNames.oidcJwksUri, jwksUri)
}

/** The emulator's alarms support single metrics only. The alarm remains, because the dashboard refers to it. */
function watchOneMetric(alarm: CfnAlarm): void {
  console.error(`NOT PROVED: the calculated metric of ${alarm.node.path} is left out`)
  alarm.addPropertyDeletionOverride('Metrics')
  const stand = { Namespace: 'AWS/ApiGateway', MetricName: 'Count', Statistic: 'Sum', Period: 300 }
  for (const [name, value] of Object.entries(stand)) alarm.addPropertyOverride(name, value)
}

/** What denies plain HTTP is honoured, and plain HTTP is all that loopback speaks. */
function allowPlainHttp(policy: CfnQueuePolicy | CfnBucketPolicy): void {
  const { Statement } = Stack.of(policy).resolve(policy.policyDocument) as { Statement: { Condition?: object }[] }
  const kept = Statement.filter(
    ({ Condition }) => !/aws:SecureTransport|s3:TlsVersion/.test(JSON.stringify(Condition ?? '')),
  )
  if (kept.length === Statement.length) return
  console.error(`NOT PROVED: that ${policy.node.path} denies plain HTTP is left out`)
  policy.addPropertyOverride('PolicyDocument.Statement', kept)
}

function dropUnknownConditions(role: CfnRole): void {
  const policies: { PolicyDocument: { Statement: { Condition?: object }[] } }[] =
    Stack.of(role)
      .resolve(role.policies)
      ?.map((policy: Record<string, unknown>) => ({ PolicyDocument: policy.policyDocument })) ?? []
  for (const [policy, { PolicyDocument }] of policies.entries()) {
    for (const [statement, { Condition }] of PolicyDocument.Statement.entries()) {
      if (!JSON.stringify(Condition ?? '').includes(unknownConditionKey)) continue
      console.error(`NOT PROVED: the condition ${unknownConditionKey}* of ${role.node.path} is left out`)
      role.addPropertyDeletionOverride(`Policies.${policy}.PolicyDocument.Statement.${statement}.Condition`)
    }
  }
}
