/**
 * A Lambda of this service: bundled code, a log group, and a role that allows exactly its declared `access`.
 */
import { Aws, type Duration, Stack } from 'aws-cdk-lib'
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import type { EventBus } from 'aws-cdk-lib/aws-events'
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Architecture, Code, Function as LambdaFunction, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda'
import { type ILogGroup, LogGroup } from 'aws-cdk-lib/aws-logs'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import packageJson from '../package.json' with { type: 'json' }
import type { Access } from '../shared/access.ts'
import { environmentNames } from '../shared/runtime/environment.ts'
import { functionName } from './function-name.ts'
import { deliveryEnvironment } from './outbound-settings.ts'
import { removalPolicyOf } from './removal-policy.ts'
import type { StageSettings } from './stage.ts'
import { attachToVpc, vpcStatements } from './vpc.ts'

/** Resources that functions can access. */
export interface Surroundings {
  table: TableV2
  secretsKey: IKey
  auditKey: IKey
  stripeSecretArn: string
  /** Bus for Stripe's events. */
  eventBus: EventBus
  /** Queues of deliveries to integrations, for the functions whose access has them. */
  deliveryQueues?: DeliveryQueues
  settings: StageSettings
}

export interface DeliveryQueues {
  queue: IQueue
  deadLetters: IQueue
}

interface ServiceFunctionProps extends Surroundings {
  /** Name of the handler's file: `api-keys/create`. */
  name: string
  description: string
  /** The folder of the bundled handler. */
  codeFolder: string
  timeout: Duration
  access: Access
  /** Variables in addition to those of its access. */
  environment?: Record<string, string>
  /** Statements in addition to its access, for actions on its behalf, such as Lambda's dead letters. */
  statements?: readonly PolicyStatement[]
}

/** Properties of every Lambda of this service. */
export const lambdaDefaults = {
  runtime: Runtime.NODEJS_24_X,
  architecture: Architecture.ARM_64,
  handler: 'index.handler',
  /** CPU scales with memory. Below this size, a cold start costs more time than it saves money. */
  memorySize: 1024,
  loggingFormat: LoggingFormat.TEXT,
} as const

export class ServiceFunction extends Construct {
  readonly function: LambdaFunction

  constructor(scope: Construct, id: string, props: ServiceFunctionProps) {
    super(scope, id)
    const { settings, name, description, codeFolder, timeout } = props
    const logGroup = new LogGroup(this, 'Logs', {
      retention: settings.logRetention,
      removalPolicy: removalPolicyOf(settings),
    })
    this.function = new LambdaFunction(this, 'Function', {
      ...lambdaDefaults,
      functionName: functionName(settings.stage, name),
      description,
      code: Code.fromAsset(codeFolder),
      timeout,
      environment: { ...environmentOf(props), ...props.environment },
      role: this.#role(props, logGroup),
      logGroup,
    })
    const vpc = vpcOf(props)
    if (vpc) attachToVpc(this.function, vpc)
  }

  #role(props: ServiceFunctionProps, logGroup: ILogGroup): Role {
    const logs = allow(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn)
    const network = vpcOf(props) ? vpcStatements(Stack.of(this), functionName(props.settings.stage, props.name)) : []
    const statements = [logs, ...accessStatements(props), ...network, ...(props.statements ?? [])]
    return new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: { access: new PolicyDocument({ statements }) },
    })
  }
}

/** Only functions that call customers' hosts are in the VPC. The others start faster without it. */
const vpcOf = ({ access, settings }: ServiceFunctionProps) => (access.internet ? settings.vpc : undefined)

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
  const { access, table, secretsKey, auditKey, eventBus } = props
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
  if (access.auditKey) {
    const actions = access.auditKey === 'sign' ? ['kms:GetPublicKey', 'kms:Sign'] : ['kms:GetPublicKey']
    statements.push(allow(actions, auditKey.keyArn))
  }
  if (access.stripe) statements.push(...stripeStatements(props))
  statements.push(...deliveryStatements(props))
  if (access.events) statements.push(allow(['events:PutEvents'], eventBus.eventBusArn))
  return statements
}

/** SES checks the sender's identity, and the sender. */
function deliveryStatements({ access, deliveryQueues, settings }: ServiceFunctionProps): PolicyStatement[] {
  const { deliveries, mail } = access
  if (deliveries && !deliveryQueues) throw new Error('this stack has no queue of deliveries')
  const { mailFrom } = settings
  return [
    ...(deliveryQueues && deliveries === 'send' ? [allow(['sqs:SendMessage'], deliveryQueues.queue.queueArn)] : []),
    ...(deliveryQueues && deliveries === 'receive'
      ? [
          allow(receiving, deliveryQueues.queue.queueArn),
          allow(['sqs:SendMessage'], deliveryQueues.deadLetters.queueArn),
        ]
      : []),
    ...(mail === 'send' && mailFrom
      ? [
          allow(['ses:SendEmail'], `arn:${Aws.PARTITION}:ses:${Aws.REGION}:${Aws.ACCOUNT_ID}:identity/*`, {
            StringEquals: { 'ses:FromAddress': mailFrom },
          }),
        ]
      : []),
  ]
}

/** Lambda receives with the function's role; the function queues the next attempt. */
const receiving = ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage', 'sqs:SendMessage']

/** A secret under a customer-managed key also needs that key, through Secrets Manager only. */
function stripeStatements({ stripeSecretArn, settings }: ServiceFunctionProps): PolicyStatement[] {
  const read = allow(['secretsmanager:GetSecretValue'], stripeSecretArn)
  const { secretKeyArn } = settings.stripe
  if (secretKeyArn === undefined) return [read]
  const [, , , region = ''] = secretKeyArn.split(':')
  const viaSecrets = { StringEquals: { 'kms:ViaService': `secretsmanager.${region}.amazonaws.com` } }
  return [read, allow(['kms:Decrypt'], secretKeyArn, viaSecrets)]
}

/** The variables of an `access`. */
function environmentOf(props: ServiceFunctionProps): Record<string, string> {
  const { access, table, secretsKey, auditKey, eventBus, settings } = props
  return {
    [environmentNames.stage]: settings.stage,
    [environmentNames.serviceVersion]: packageJson.version,
    ...(access.table.length > 0 ? { [environmentNames.tableName]: table.tableName } : {}),
    ...(access.secrets ? { [environmentNames.secretsKeyId]: secretsKey.keyArn } : {}),
    ...(access.auditKey ? { [environmentNames.auditKeyId]: auditKey.keyArn } : {}),
    ...(access.stripe ? stripeEnvironment(props) : {}),
    ...deliveryVariables(props),
    ...(access.events ? { [environmentNames.eventBusName]: eventBus.eventBusName } : {}),
  }
}

function deliveryVariables({ access, deliveryQueues, settings }: ServiceFunctionProps): Record<string, string> {
  const { queue, deadLetters } = access.deliveries ? (deliveryQueues ?? {}) : {}
  return {
    ...(queue ? { [environmentNames.deliveryQueueUrl]: queue.queueUrl } : {}),
    ...(deadLetters && access.deliveries === 'receive'
      ? { [environmentNames.deliveryDeadLettersUrl]: deadLetters.queueUrl }
      : {}),
    ...(access.mail && settings.mailFrom ? { [environmentNames.mailSender]: settings.mailFrom } : {}),
    ...(access.mail === 'send' ? deliveryEnvironment(settings) : {}),
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
