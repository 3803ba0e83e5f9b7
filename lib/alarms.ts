/**
 * Every alarm of a stage. Each notifies the topic of the Events stack, has its severity in its name and description, and has a
 * section in `docs/runbook.md`.
 */
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { Topic } from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import { pascalCase } from './pascal-case.ts'
import type { StageSettings } from './stage.ts'
import { fiveMinutes, hour, type StageMetrics } from './stage-metrics.ts'

/** `page`: customers are affected now. `ticket`: within a working day. */
export type Severity = 'page' | 'ticket'

/** Condition of an alarm: the metric was at or above the threshold in each of the last `periods`. */
interface Rule {
  severity: Severity
  meaning: string
  metric: IMetric
  threshold?: number
  periods?: number
  /** For alarms on missing data. */
  whenSilent?: boolean
}

type Rules = Record<string, Rule>

export const runbook = 'docs/runbook.md'

/** Adds all alarms; the keys of the rules are the names of the runbook's sections. */
export function addAlarms(scope: Construct, settings: StageSettings, metrics: StageMetrics, topic: Topic): Alarm[] {
  const { stage, lambdaConcurrency } = settings
  const action = new SnsAction(topic)
  const rules: Rules = {
    ...apiRules(metrics),
    ...functionRules(lambdaConcurrency),
    ...tableRules(metrics),
    ...auditRules(metrics),
    ...deliveryRules(metrics),
    ...eventRules(metrics),
    ...sweepRules(metrics),
  }
  return Object.entries(rules).map(([name, rule]) => {
    const alarm = new Alarm(scope, pascalCase(name), {
      alarmName: `octomil-settings-${stage}-${rule.severity}-${name}`,
      alarmDescription: `${rule.severity}: ${rule.meaning}. ${runbook}#${name}`,
      metric: rule.metric,
      threshold: rule.threshold ?? 1,
      evaluationPeriods: rule.periods ?? 1,
      comparisonOperator: rule.whenSilent
        ? ComparisonOperator.LESS_THAN_THRESHOLD
        : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: rule.whenSilent ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    })
    alarm.addAlarmAction(action)
    // Notify the end of an alarm too.
    alarm.addOkAction(action)
    return alarm
  })
}

/** With few requests, one failure is a high rate. */
const errorShare = 'IF(FILL(requests, 0) >= 20, 100 * FILL(errors, 0) / requests, 0)'

const apiRules = (metrics: StageMetrics): Rules => ({
  'api-errors': {
    severity: 'page',
    meaning: 'more than 5 % of requests get a 5xx',
    metric: new MathExpression({
      expression: errorShare,
      usingMetrics: { requests: metrics.api('Count', 'Sum'), errors: metrics.api('5xx', 'Sum') },
      label: '5xx, %',
      period: fiveMinutes,
    }),
    threshold: 5,
    periods: 2,
  },
  'api-latency': {
    severity: 'ticket',
    meaning: 'one request in a hundred takes 5 s or longer, for 15 minutes',
    metric: metrics.api('Latency', 'p99'),
    threshold: 5000,
    periods: 3,
  },
})

const functionRules = (lambdaConcurrency: number): Rules => ({
  'function-throttles': {
    severity: 'page',
    meaning: 'Lambda refuses to start functions: the concurrency of the account is used up',
    // Of the whole account in this region, as the limit is.
    metric: new Metric({ namespace: 'AWS/Lambda', metricName: 'Throttles', statistic: 'Sum', period: fiveMinutes }),
    periods: 2,
  },
  'function-concurrency': {
    severity: 'ticket',
    meaning: 'functions of the account run at 80 % of its concurrency: at 100 % requests get 503',
    // Of the whole account in this region, as the limit is.
    metric: new Metric({
      namespace: 'AWS/Lambda',
      metricName: 'ConcurrentExecutions',
      statistic: 'Maximum',
      period: fiveMinutes,
    }),
    threshold: Math.ceil(0.8 * lambdaConcurrency),
  },
})

const tableRules = (metrics: StageMetrics): Rules => ({
  'table-throttles': {
    severity: 'ticket',
    meaning: 'the table throttles reads or writes',
    metric: new MathExpression({
      // Without throttles a metric has no data, and a sum with a missing operand has none.
      expression: 'FILL(reads, 0) + FILL(writes, 0)',
      usingMetrics: { reads: metrics.table('ReadThrottleEvents'), writes: metrics.table('WriteThrottleEvents') },
      label: 'throttled',
      period: fiveMinutes,
    }),
    // The SDK retries. A growing partition that splits causes a few.
    threshold: 20,
    periods: 2,
  },
})

const auditRules = (metrics: StageMetrics): Rules => ({
  'audit-sealer-behind': {
    severity: 'ticket',
    meaning: 'audit events wait five minutes or longer for the sealer',
    metric: metrics.background('sealer', 'IteratorAge', 'Maximum'),
    // In milliseconds. An event unsealed for this long makes verification fail.
    threshold: 5 * 60_000,
  },
  'audit-dead-letters': {
    severity: 'ticket',
    meaning: 'the sealer gave up records of the table, and audit events are not sealed',
    metric: metrics.deadLetters('sealer'),
  },
  'audit-faults': {
    severity: 'page',
    meaning: 'an audit chain lost its newest blocks, or was not signed',
    metric: metrics.own('AuditFaults'),
  },
})

const deliveryRules = (metrics: StageMetrics): Rules => ({
  'delivery-router-behind': {
    severity: 'ticket',
    meaning: 'audit events wait five minutes or longer for the router',
    metric: metrics.background('router', 'IteratorAge', 'Maximum'),
    // In milliseconds.
    threshold: 5 * 60_000,
  },
  'delivery-router-dead-letters': {
    severity: 'ticket',
    meaning: 'the router gave up records of the table, and integrations miss events',
    metric: metrics.deadLetters('router'),
  },
  'delivery-age': {
    severity: 'ticket',
    meaning: 'events wait five minutes or longer for their first attempt',
    metric: metrics.own('DeliveryAgeSeconds', 'Maximum'),
    threshold: 5 * 60,
  },
  'delivery-sender-stopped': {
    severity: 'ticket',
    meaning: 'messages of deliveries wait half an hour or longer in their queue',
    // The sender queues a waiting delivery again after 15 minutes at most, so an old message was not received.
    metric: metrics.deliveryQueueAge(),
    threshold: 30 * 60,
  },
  'delivery-dead-letters': {
    severity: 'ticket',
    meaning: 'deliveries to integrations failed finally, and wait in a dead-letter queue',
    metric: metrics.deadLetters('sender'),
  },
})

const eventRules = (metrics: StageMetrics): Rules => ({
  'dead-letters': {
    severity: 'ticket',
    meaning: 'Stripe events or a sweep failed finally, and wait in a dead-letter queue',
    metric: new MathExpression({
      expression: 'FILL(events, 0) + FILL(sweeps, 0)',
      usingMetrics: { events: metrics.deadLetters('projector'), sweeps: metrics.deadLetters('sweep') },
      label: 'dead letters',
      period: fiveMinutes,
    }),
  },
  'project-errors': {
    severity: 'ticket',
    meaning: 'the projector fails for Stripe events',
    metric: metrics.background('projector', 'Errors'),
    // Lambda retries a failure; several indicate a fault.
    threshold: 3,
  },
  'project-age': {
    severity: 'page',
    meaning: 'Stripe events are projected 15 minutes or more after they happened',
    metric: metrics.own('StripeEventAgeSeconds', 'Maximum'),
    // Longer than a transient fault.
    threshold: 15 * 60,
  },
  'webhook-refusals': {
    severity: 'ticket',
    meaning: 'the webhook refuses deliveries',
    // Any client can send a few. If a secret differs from Stripe's, refusals continue.
    metric: metrics.own('StripeEventsRefused', 'Sum', hour),
    threshold: 10,
  },
})

const sweepRules = (metrics: StageMetrics): Rules => ({
  'sweep-failed': {
    severity: 'ticket',
    meaning: 'a part of a sweep failed, or the sweep timed out',
    metric: metrics.background('sweep', 'Errors'),
  },
  'sweep-missing': {
    severity: 'ticket',
    meaning: 'the sweep has not run for three hours',
    metric: metrics.background('sweep', 'Invocations', 'Sum', hour),
    periods: 3,
    whenSilent: true,
  },
  'billing-drift': {
    severity: 'ticket',
    meaning: 'the sweep corrects customers that events of Stripe did not update',
    metric: metrics.own('BillingDriftCorrected', 'Sum', hour),
    threshold: 5,
  },
})
