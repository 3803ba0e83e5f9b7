/** The dashboard of a stage: alarms, API, resource folders, table, Stripe's events. */
import { Duration } from 'aws-cdk-lib'
import { type Alarm, AlarmStatusWidget, Dashboard, GraphWidget, type IMetric } from 'aws-cdk-lib/aws-cloudwatch'
import type { Construct } from 'constructs'
import { deployedOperations } from '../functions/operations.ts'
import type { StageMetrics } from './stage-metrics.ts'

interface DashboardProps {
  stage: string
  metrics: StageMetrics
  alarms: readonly Alarm[]
}

export function addDashboard(scope: Construct, { stage, metrics, alarms }: DashboardProps): Dashboard {
  const dashboard = new Dashboard(scope, 'Dashboard', {
    dashboardName: `octomil-settings-${stage}`,
    defaultInterval: Duration.hours(12),
  })
  dashboard.addWidgets(new AlarmStatusWidget({ title: 'Alarms', alarms: [...alarms], width: 24, height: 4 }))
  dashboard.addWidgets(...apiGraphs(metrics))
  dashboard.addWidgets(...folderGraphs(metrics))
  dashboard.addWidgets(...tableGraphs(metrics))
  dashboard.addWidgets(...eventGraphs(metrics))
  return dashboard
}

const graph = (title: string, left: IMetric[]): GraphWidget => new GraphWidget({ title, left, width: 8, height: 6 })

const apiGraphs = (metrics: StageMetrics): GraphWidget[] => [
  graph('Requests', [metrics.api('Count', 'Sum')]),
  graph('Refused and failed requests', [metrics.api('4xx', 'Sum'), metrics.api('5xx', 'Sum')]),
  graph('Latency, ms', [metrics.api('Latency', 'p50'), metrics.api('Latency', 'p99')]),
]

function folderGraphs(metrics: StageMetrics): GraphWidget[] {
  const folders = [...new Set(deployedOperations.map(([name]) => name.replace(/\/.*/, '')))]
  const each = (metric: string, statistic: string, across: 'SUM' | 'MAX') =>
    folders.map((folder) => metrics.folder(folder, metric, statistic, across))
  return [
    graph('Runs by resource', each('Invocations', 'Sum', 'SUM')),
    graph('Functions that crashed or ran out of time, by resource', each('Errors', 'Sum', 'SUM')),
    graph('Slowest function’s p99 by resource, ms', each('Duration', 'p99', 'MAX')),
  ]
}

const tableGraphs = (metrics: StageMetrics): GraphWidget[] => [
  graph('Table: units', [metrics.table('ConsumedReadCapacityUnits'), metrics.table('ConsumedWriteCapacityUnits')]),
  graph('Table: throttled', [metrics.table('ReadThrottleEvents'), metrics.table('WriteThrottleEvents')]),
  graph('Audit events sealed', [metrics.own('AuditEventsSealed')]),
  graph('Longest wait of an audit event for its seal, s', [metrics.own('AuditSealSeconds', 'Maximum')]),
]

const eventGraphs = (metrics: StageMetrics): GraphWidget[] => [
  graph('Stripe’s events', [
    metrics.own('StripeEventsReceived'),
    metrics.own('StripeEventsRefused'),
    metrics.own('StripeEventsProjected'),
    metrics.own('StripeEventsDuplicate'),
    metrics.own('StripeEventsUnknown'),
  ]),
  graph('Age of an event when it is projected, s', [
    metrics.own('StripeEventAgeSeconds', 'p50'),
    metrics.own('StripeEventAgeSeconds', 'Maximum'),
  ]),
  graph('Dead letters and refused events', [
    metrics.own('StripeEventsLost'),
    metrics.own('BillingDriftCorrected'),
    metrics.own('SweepFailures'),
    metrics.deadLetters('projector'),
    metrics.deadLetters('sweep'),
  ]),
]
