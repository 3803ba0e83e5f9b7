/**
 * The Lambda that a user pool invokes before it issues tokens. It is not a `ServiceFunction`: its role names the pool and the pool
 * names the function, so the statement needs a separate policy.
 */
import { Duration, type Stack } from 'aws-cdk-lib'
import { type UserPool, UserPoolOperation } from 'aws-cdk-lib/aws-cognito'
import { Policy, PolicyDocument, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Code, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { type BackgroundName, backgroundFunctions } from '../functions/background.ts'
import packageJson from '../package.json' with { type: 'json' }
import { environmentNames } from '../shared/runtime/environment.ts'
import { bundle } from './bundle.ts'
import { functionName } from './function-name.ts'
import { removalPolicyOf } from './removal-policy.ts'
import { allow, lambdaDefaults } from './service-function.ts'
import type { StageSettings } from './stage.ts'

const name = 'sign-in/add-token-claims' satisfies BackgroundName
const { id, summary, timeoutSeconds, access } = backgroundFunctions[name]

/** Creates the function and the pool's trigger. Event version 1 suffices: it covers ID tokens. */
export function addTokenTrigger(stack: Stack, userPool: UserPool, settings: StageSettings): void {
  const logGroup = new LogGroup(stack, 'TokenClaimsLogs', {
    retention: settings.logRetention,
    removalPolicy: removalPolicyOf(settings),
  })
  const logs = allow(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn)
  const role = new Role(stack, 'TokenClaimsRole', {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    inlinePolicies: { access: new PolicyDocument({ statements: [logs] }) },
  })
  const lambda = new LambdaFunction(stack, 'TokenClaims', {
    ...lambdaDefaults,
    functionName: functionName(settings.stage, name),
    description: `${id}: ${summary}`,
    code: Code.fromAsset(bundle().folderOf(name)),
    timeout: Duration.seconds(timeoutSeconds),
    environment: {
      [environmentNames.stage]: settings.stage,
      [environmentNames.serviceVersion]: packageJson.version,
    },
    role,
    logGroup,
  })
  userPool.addTrigger(UserPoolOperation.PRE_TOKEN_GENERATION, lambda)
  const actions = access.userPool.map((action) => `cognito-idp:${action}`)
  new Policy(stack, 'TokenClaimsPolicy', { roles: [role], statements: [allow(actions, userPool.userPoolArn)] })
}
