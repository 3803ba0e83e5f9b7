/**
 * The Lambda that a user pool asks before it issues tokens. It is made here and not as a `ServiceFunction`: that one's role
 * names what it may touch, and the pool names the function, so that the statement on the pool needs a policy of its own.
 */
import { Duration, type Stack } from 'aws-cdk-lib'
import { type UserPool, UserPoolOperation } from 'aws-cdk-lib/aws-cognito'
import { Policy, PolicyDocument, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, Code, Function as LambdaFunction, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { type BackgroundName, backgroundFunctions } from '../functions/background.ts'
import packageJson from '../package.json' with { type: 'json' }
import { environmentNames } from '../shared/runtime/environment.ts'
import { bundle } from './bundle.ts'
import { functionName } from './function-name.ts'
import { removalPolicyOf } from './removal-policy.ts'
import { allow } from './service-function.ts'
import type { StageSettings } from './stage.ts'

const name = 'sign-in/add-token-claims' satisfies BackgroundName
const { id, summary, timeoutSeconds, access } = backgroundFunctions[name]

/** Makes the function, and has the pool invoke it. Its first event version suffices: it is the one of ID tokens alone. */
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
    functionName: functionName(settings.stage, name),
    description: `${id}: ${summary}`,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    code: Code.fromAsset(bundle().folderOf(name)),
    handler: 'index.handler',
    timeout: Duration.seconds(timeoutSeconds),
    memorySize: 1024,
    environment: {
      [environmentNames.stage]: settings.stage,
      [environmentNames.serviceVersion]: packageJson.version,
    },
    role,
    logGroup,
    loggingFormat: LoggingFormat.TEXT,
  })
  userPool.addTrigger(UserPoolOperation.PRE_TOKEN_GENERATION, lambda)
  const actions = access.userPool.map((action) => `cognito-idp:${action}`)
  new Policy(stack, 'TokenClaimsPolicy', { roles: [role], statements: [allow(actions, userPool.userPoolArn)] })
}
