/**
 * The Lambda of one operation: bundled code, a log group, a role whose statements are the contract's `access` and
 * nothing else, and the route that leads to it.
 */
import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { type HttpApi, HttpMethod, HttpRoute, HttpRouteKey } from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Key } from 'aws-cdk-lib/aws-kms'
import { Architecture, Code, Function as LambdaFunction, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda'
import { type ILogGroup, LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import packageJson from '../package.json' with { type: 'json' }
import type { Operation } from '../shared/http/operation.ts'
import { environmentNames } from '../shared/runtime/environment.ts'
import { outboundEnvironment } from './outbound-settings.ts'
import type { StageSettings } from './stage.ts'

export interface OperationFunctionProps {
  operation: Operation
  /** The folder of the bundled handler. */
  codeFolder: string
  table: TableV2
  secretsKey: Key
  httpApi: HttpApi
  settings: StageSettings
}

/** Below the 30 s after which API Gateway gives up, so that the answer is ours. */
const timeout = Duration.seconds(28)
/** CPU comes with memory; below this a cold start is longer than it is cheaper. */
const memorySize = 1024

export class OperationFunction extends Construct {
  readonly function: LambdaFunction

  constructor(scope: Construct, id: string, props: OperationFunctionProps) {
    super(scope, id)
    const { operation, settings } = props
    const logGroup = new LogGroup(this, 'Logs', {
      retention: settings.logRetention,
      removalPolicy: settings.retainData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    this.function = new LambdaFunction(this, 'Function', {
      description: `${operation.id}: ${operation.summary}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(props.codeFolder),
      handler: 'index.handler',
      timeout,
      memorySize,
      environment: environmentOf(props),
      role: this.#role(props, logGroup),
      logGroup,
      loggingFormat: LoggingFormat.TEXT,
    })
    new HttpRoute(this, 'Route', {
      httpApi: props.httpApi,
      routeKey: routeKeyOf(operation),
      integration: new HttpLambdaIntegration('Integration', this.function, { scopePermissionToRoute: false }),
    })
  }

  #role(props: OperationFunctionProps, logGroup: ILogGroup): Role {
    const logs = new PolicyStatement({
      effect: Effect.ALLOW,
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [logGroup.logGroupArn],
    })
    return new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: { access: new PolicyDocument({ statements: [logs, ...accessStatements(props)] }) },
    })
  }
}

/** The statements of a contract's `access`. */
function accessStatements({ operation: { access }, table, secretsKey }: OperationFunctionProps): PolicyStatement[] {
  const statements: PolicyStatement[] = []
  if (access.table.length > 0) {
    const actions = access.table.map((action) => `dynamodb:${action}`)
    statements.push(new PolicyStatement({ effect: Effect.ALLOW, actions, resources: [table.tableArn] }))
  }
  if (access.secrets) {
    const { action, purpose } = access.secrets
    statements.push(
      new PolicyStatement({
        effect: Effect.ALLOW,
        actions: [action === 'encrypt' ? 'kms:Encrypt' : 'kms:Decrypt'],
        resources: [secretsKey.keyArn],
        conditions: { StringEquals: { 'kms:EncryptionContext:purpose': purpose } },
      }),
    )
  }
  return statements
}

function environmentOf({ operation, table, secretsKey, settings }: OperationFunctionProps): Record<string, string> {
  const { stage, oidc, signInProviders } = settings
  const always = { [environmentNames.stage]: stage, [environmentNames.serviceVersion]: packageJson.version }
  if (operation.scope === 'public') return always
  return {
    ...always,
    [environmentNames.tableName]: table.tableName,
    ...(operation.access.secrets ? { [environmentNames.secretsKeyId]: secretsKey.keyArn } : {}),
    ...outboundEnvironment(settings),
    ...(signInProviders.length > 0 ? { [environmentNames.signInProviders]: signInProviders.join(',') } : {}),
    ...(oidc
      ? {
          [environmentNames.oidcIssuer]: oidc.issuer,
          [environmentNames.oidcAudience]: oidc.audience,
          [environmentNames.oidcOrgClaim]: oidc.orgClaim,
          [environmentNames.oidcRoleClaim]: oidc.roleClaim,
          ...(oidc.jwksUri ? { [environmentNames.oidcJwksUri]: oidc.jwksUri } : {}),
        }
      : {}),
  }
}

const routeKeyOf = ({ route, method, path }: Operation): HttpRouteKey =>
  route === '$default' ? HttpRouteKey.DEFAULT : HttpRouteKey.with(path, HttpMethod[method])
