/**
 * A Lambda of this service, whatever calls it: bundled code, a log group, and a role whose statements are its declared
 * `access` and nothing else.
 */
import { type Duration, RemovalPolicy } from 'aws-cdk-lib'
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { EventBus } from 'aws-cdk-lib/aws-events'
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Key } from 'aws-cdk-lib/aws-kms'
import { Architecture, Code, Function as LambdaFunction, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda'
import { type ILogGroup, LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import packageJson from '../package.json' with { type: 'json' }
import type { Access } from '../shared/http/operation.ts'
import type { ReferenceScript } from '../shared/http/reference-page.ts'
import { environmentNames } from '../shared/runtime/environment.ts'
import type { StageSettings } from './stage.ts'

/** What functions may be granted access to. */
export interface Surroundings {
  table: TableV2
  secretsKey: Key
  stripeSecretArn: string
  /** Where Stripe's events go. */
  eventBus: EventBus
  settings: StageSettings
  /** Absent where the stage has no web distribution. */
  referenceScript?: ReferenceScript
}

interface ServiceFunctionProps extends Surroundings {
  description: string
  /** The folder of the bundled handler. */
  codeFolder: string
  timeout: Duration
  access: Access
  /** Variables beyond those that its access brings. */
  environment?: Record<string, string>
  /** Statements beyond its access, for what is done on its behalf, such as Lambda's own dead letters. */
  statements?: readonly PolicyStatement[]
}

/** CPU comes with memory; below this a cold start is longer than it is cheaper. */
const memorySize = 1024

export class ServiceFunction extends Construct {
  readonly function: LambdaFunction

  constructor(scope: Construct, id: string, props: ServiceFunctionProps) {
    super(scope, id)
    const { settings, description, codeFolder, timeout } = props
    const logGroup = new LogGroup(this, 'Logs', {
      retention: settings.logRetention,
      removalPolicy: settings.retainData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    this.function = new LambdaFunction(this, 'Function', {
      description,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(codeFolder),
      handler: 'index.handler',
      timeout,
      memorySize,
      environment: { ...environmentOf(props), ...props.environment },
      role: this.#role(props, logGroup),
      logGroup,
      loggingFormat: LoggingFormat.TEXT,
    })
  }

  #role(props: ServiceFunctionProps, logGroup: ILogGroup): Role {
    const logs = allow(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn)
    const statements = [logs, ...accessStatements(props), ...(props.statements ?? [])]
    return new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: { access: new PolicyDocument({ statements }) },
    })
  }
}

/** One statement on one resource. */
export const allow = (actions: readonly string[], resource: string, conditions?: Record<string, object>) =>
  new PolicyStatement({
    effect: Effect.ALLOW,
    actions: [...actions],
    resources: [resource],
    ...(conditions ? { conditions } : {}),
  })

/** The statements of an `access`. */
function accessStatements(props: ServiceFunctionProps): PolicyStatement[] {
  const { access, table, secretsKey, stripeSecretArn, eventBus } = props
  const statements: PolicyStatement[] = []
  if (access.table.length > 0) {
    statements.push(
      allow(
        access.table.map((action) => `dynamodb:${action}`),
        table.tableArn,
      ),
    )
  }
  if (access.secrets) {
    const { action, purpose } = access.secrets
    statements.push(
      allow([action === 'encrypt' ? 'kms:Encrypt' : 'kms:Decrypt'], secretsKey.keyArn, {
        StringEquals: { 'kms:EncryptionContext:purpose': purpose },
      }),
    )
  }
  if (access.stripe) statements.push(allow(['secretsmanager:GetSecretValue'], stripeSecretArn))
  if (access.events) statements.push(allow(['events:PutEvents'], eventBus.eventBusArn))
  return statements
}

/** The variables that an `access` brings. */
function environmentOf(props: ServiceFunctionProps): Record<string, string> {
  const { access, table, secretsKey, eventBus, settings } = props
  return {
    [environmentNames.stage]: settings.stage,
    [environmentNames.serviceVersion]: packageJson.version,
    ...(access.table.length > 0 ? { [environmentNames.tableName]: table.tableName } : {}),
    ...(access.secrets ? { [environmentNames.secretsKeyId]: secretsKey.keyArn } : {}),
    ...(access.stripe ? stripeEnvironment(props) : {}),
    ...(access.events ? { [environmentNames.eventBusName]: eventBus.eventBusName } : {}),
  }
}

function stripeEnvironment({ stripeSecretArn, settings }: ServiceFunctionProps): Record<string, string> {
  const { stripe } = settings
  return {
    [environmentNames.stripeSecretArn]: stripeSecretArn,
    ...(stripe.apiUrl ? { [environmentNames.stripeApiUrl]: stripe.apiUrl } : {}),
    ...(stripe.account ? { [environmentNames.stripeAccount]: stripe.account } : {}),
    ...(stripe.partnerSource ? { [environmentNames.stripePartnerSource]: stripe.partnerSource } : {}),
  }
}
