/** Readers of the table's stream: the sealer chains new audit events, the router queues them. The sender delivers them to integrations. */
import { CfnOutput, Duration, Stack, Validations } from 'aws-cdk-lib'
import { EventSourceMapping, FilterCriteria, FilterRule, StartingPosition } from 'aws-cdk-lib/aws-lambda'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import { type BackgroundName, backgroundFunctions } from '../functions/background.ts'
import { deadLetterQueue, queueDefaults } from './dead-letter-queue.ts'
import { pascalCase } from './pascal-case.ts'
import { allow, type DeliveryQueues, ServiceFunction, type Surroundings } from './service-function.ts'
import { outputNames, type StageSettings, stackName } from './stage.ts'
import type { Watched, WatchedSender } from './stage-metrics.ts'

interface DeliveryStackProps extends Surroundings {
  tableStreamArn: string
  codeFolderOf(name: string): string
}

/** Readers of the stream, by the name of their function. */
type StreamReader = {
  [Name in BackgroundName]: (typeof backgroundFunctions)[Name]['trigger'] extends { tableStream: object } ? Name : never
}[BackgroundName]

export class DeliveryStack extends Stack {
  readonly sealer: Watched
  readonly router: Watched
  readonly sender: WatchedSender
  readonly queues: DeliveryQueues
  readonly #props: DeliveryStackProps

  constructor(scope: Construct, props: DeliveryStackProps) {
    const { stage, retainData } = props.settings
    super(scope, stackName(stage, 'Delivery'), { terminationProtection: retainData })
    const deadLetters = deadLetterQueue(this, 'Delivery', 'It is the dead-letter queue of deliveries.')
    const queue = new Queue(this, 'Deliveries', {
      ...queueDefaults,
      // Longer than the sender: a message comes back when its sender died.
      visibilityTimeout: Duration.seconds(2 * backgroundFunctions['integrations/send'].timeoutSeconds),
    })
    const reason = 'The sender buries the messages of failed deliveries itself.'
    Validations.of(queue).acknowledge({ id: 'AwsSolutions-SQS3', reason })
    this.queues = { queue, deadLetters }
    this.#props = { ...props, deliveryQueues: this.queues }
    this.sealer = { deadLetters: this.#reader('audit-events/seal') }
    this.router = { deadLetters: this.#reader('integrations/route') }
    this.sender = { deadLetters, queue }
    this.#sender(queue)
    new CfnOutput(this, outputNames.deliveryQueueUrl, { value: queue.queueUrl })
    new CfnOutput(this, outputNames.deliveryDeadLettersUrl, { value: deadLetters.queueUrl })
  }

  /** A reader and the queue for batches that it gave up; they name the records' place in the stream. */
  #reader(name: StreamReader): Queue {
    const { id, summary, access, timeoutSeconds, trigger } = backgroundFunctions[name]
    const scopeId = pascalCase(name.replace(/^.*\//, ''))
    const deadLetters = deadLetterQueue(this, scopeId, 'It is the dead-letter queue of a reader of the stream.')
    const { tableStreamArn, codeFolderOf } = this.#props
    const { function: target } = new ServiceFunction(this, scopeId, {
      ...this.#props,
      name,
      description: `${id}: ${summary}`,
      codeFolder: codeFolderOf(name),
      timeout: Duration.seconds(timeoutSeconds),
      access,
      // Lambda reads the stream and sends dead letters with the function's role.
      statements: [
        allow(['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'], tableStreamArn),
        allow(['sqs:SendMessage'], deadLetters.queueArn),
      ],
    })
    const mapping = new EventSourceMapping(this, `${scopeId}Records`, {
      target,
      eventSourceArn: tableStreamArn,
      ...delivery,
      filters: [insertsOf(trigger.tableStream.insertedSortKeys)],
      onFailure: { bind: () => ({ destination: deadLetters.queueArn }) },
    })
    // Lambda tries the role when it creates the mapping.
    if (target.role) mapping.node.addDependency(target.role)
    return deadLetters
  }

  /** The function that sends, and the mapping that hands it messages. */
  #sender(queue: Queue): void {
    const name = 'integrations/send'
    const { id, summary, access, timeoutSeconds } = backgroundFunctions[name]
    const { function: target } = new ServiceFunction(this, 'Send', {
      ...this.#props,
      name,
      description: `${id}: ${summary}`,
      codeFolder: this.#props.codeFolderOf(name),
      timeout: Duration.seconds(timeoutSeconds),
      access,
      environment: { UV_THREADPOOL_SIZE: lookupThreads },
    })
    const mapping = new EventSourceMapping(this, 'SendMessages', {
      target,
      eventSourceArn: queue.queueArn,
      batchSize: 10,
      maxConcurrency: maxSenders(this.#props.settings),
      reportBatchItemFailures: true,
    })
    if (target.role) mapping.node.addDependency(target.role)
  }
}

/** Node looks names up in its thread pool, of 4 by default. Names that never resolve hold their threads longer than an attempt. */
const lookupThreads = '64'
/** Slow receivers leave half of the account's concurrency to the API. Lambda takes 2 to 1000. */
const maxSenders = ({ lambdaConcurrency }: StageSettings): number =>
  Math.min(1000, Math.max(2, Math.floor(lambdaConcurrency / 2)))

const delivery = {
  startingPosition: StartingPosition.TRIM_HORIZON,
  batchSize: 100,
  // Lambda divides a shard by the partition key, so the records of an org stay in order.
  parallelizationFactor: 10,
  retryAttempts: 20,
  bisectBatchOnError: true,
  reportBatchItemFailures: true,
}

const insertsOf = (sortKeys: string) =>
  FilterCriteria.filter({
    eventName: FilterRule.isEqual('INSERT'),
    dynamodb: { Keys: { sk: { S: FilterRule.beginsWith(sortKeys) } } },
  })
