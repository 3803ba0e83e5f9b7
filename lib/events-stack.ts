/**
 * Stripe's events: the webhook's bus, the optional partner bus, the projector's rules, the sweep's schedule, the dead-letter
 * queues and the topic of alarms.
 */
import { CfnOutput, Duration, Stack } from 'aws-cdk-lib'
import { EventBus, type EventPattern, Match, Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { EventInvokeConfig } from 'aws-cdk-lib/aws-lambda'
import { Topic } from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import { type BackgroundName, backgroundFunctions } from '../functions/background.ts'
import { operatorSource, partnerSourcePrefix, sweepRequested, webhookSource } from '../shared/stripe-events/event.ts'
import { subscribeByEmail } from './alarm-email.ts'
import { deadLetterQueue } from './dead-letter-queue.ts'
import { pascalCase } from './pascal-case.ts'
import { allow, ServiceFunction, type Surroundings } from './service-function.ts'
import { outputNames, stackName } from './stage.ts'
import type { Watched } from './stage-metrics.ts'

interface EventsStackProps extends Omit<Surroundings, 'eventBus'> {
  codeFolderOf(name: string): string
}

/** Number and duration of retries before an event becomes a dead letter. */
interface Patience {
  retryAttempts: number
  maxEventAge: Duration
}

/** For a rule that cannot start its function: EventBridge's maximum count, within the function's maximum age. */
const toStart: Patience = { retryAttempts: 185, maxEventAge: Duration.hours(6) }
/** For an event that could not be projected: Lambda's maximum. */
const toProject: Patience = { retryAttempts: 2, maxEventAge: Duration.hours(6) }
/** For a failed sweep: none. The next one runs within the hour and covers the same customers. */
const toSweep: Patience = { retryAttempts: 0, maxEventAge: Duration.hours(1) }

export class EventsStack extends Stack {
  readonly eventBus: EventBus
  /** Receives all alarms. Operators subscribe to it. */
  readonly alarmTopic: Topic
  readonly projector: Watched
  readonly sweep: Watched
  readonly #props: EventsStackProps

  constructor(scope: Construct, props: EventsStackProps) {
    const { stage, stripe } = props.settings
    super(scope, stackName(stage, 'Events'), { terminationProtection: props.settings.retainData })
    this.#props = props
    this.alarmTopic = alarmTopic(this)
    subscribeByEmail(this.alarmTopic, props.settings)
    this.eventBus = new EventBus(this, 'Bus', { eventBusName: `octomil-settings-${stage}` })
    const projector = this.#function('stripe-events/project', toProject)
    this.#route('Webhook', this.eventBus, { source: [webhookSource] }, projector)
    if (stripe.partnerSource) {
      const partnerBus = new EventBus(this, 'PartnerBus', { eventSourceName: stripe.partnerSource })
      this.#route('Partner', partnerBus, { source: Match.prefix(partnerSourcePrefix) }, projector)
    }
    const sweep = this.#function('stripe-events/sweep', toSweep)
    const { everyMinutes } = backgroundFunctions['stripe-events/sweep'].trigger
    new Rule(this, 'SweepSchedule', {
      description: 'Starts the sweep of billing',
      schedule: Schedule.rate(Duration.minutes(everyMinutes)),
      targets: [sweep.target()],
    })
    new Rule(this, 'SweepRequests', {
      description: 'Starts the sweep of billing when an operator asks for it',
      eventBus: this.eventBus,
      eventPattern: { source: [operatorSource], detailType: [sweepRequested] },
      targets: [sweep.target()],
    })
    this.projector = projector
    this.sweep = sweep
    new CfnOutput(this, outputNames.alarmTopicArn, { value: this.alarmTopic.topicArn })
    new CfnOutput(this, outputNames.eventBusName, { value: this.eventBus.eventBusName })
    new CfnOutput(this, outputNames.projectDeadLettersUrl, { value: projector.deadLetters.queueUrl })
    new CfnOutput(this, outputNames.sweepDeadLettersUrl, { value: sweep.deadLetters.queueUrl })
  }

  /** Sends a bus's events to the projector, and archives them for a month for replays. */
  #route(id: string, eventBus: EventBus, eventPattern: EventPattern, projector: Background): void {
    new Rule(this, `${id}Events`, { eventBus, eventPattern, targets: [projector.target()] })
    eventBus.archive(`${id}Archive`, { eventPattern, retention: Duration.days(30) })
  }

  /** A background function and its dead-letter queue, for failed runs and failed starts. */
  #function(name: BackgroundName, patience: Patience): Background {
    const { id, summary, access, timeoutSeconds } = backgroundFunctions[name]
    const scopeId = pascalCase(name.replace(/^.*\//, ''))
    const deadLetters = deadLetterQueue(this, scopeId, 'It is a dead-letter queue of a function and of its rules.')
    const { function: lambda } = new ServiceFunction(this, scopeId, {
      ...this.#props,
      name,
      eventBus: this.eventBus,
      description: `${id}: ${summary}`,
      codeFolder: this.#props.codeFolderOf(name),
      timeout: Duration.seconds(timeoutSeconds),
      access,
      // Lambda sends a dead letter with the function's role.
      statements: [allow(['sqs:SendMessage'], deadLetters.queueArn)],
    })
    new EventInvokeConfig(this, `${scopeId}Invocation`, {
      function: lambda,
      ...patience,
      onFailure: { bind: () => ({ destination: deadLetters.queueArn }) },
    })
    const target = () => new LambdaFunction(lambda, { deadLetterQueue: deadLetters, ...toStart })
    return { deadLetters, target }
  }
}

interface Background extends Watched {
  /** The function as a rule's target. */
  target(): LambdaFunction
}

/** A topic with an explicit policy must allow CloudWatch explicitly. */
function alarmTopic(stack: Stack): Topic {
  const topic = new Topic(stack, 'Alarms', { displayName: 'Alarms of the Octomil settings API', enforceSSL: true })
  topic.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
      conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
    }),
  )
  return topic
}
