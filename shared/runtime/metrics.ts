/**
 * Metrics in CloudWatch's embedded format: a log line that says which of its members are metrics, so that counting costs
 * no call. Dimensions are the stage and, where there is one, a reason from a closed list; never an org.
 */
import { environment } from './environment.ts'
import { log } from './log.ts'

export const metricNamespace = 'Octomil/Settings'

const units = {
  StripeEventsReceived: 'Count',
  StripeEventsRefused: 'Count',
  StripeEventsProjected: 'Count',
  StripeEventsDuplicate: 'Count',
  StripeEventsUnknown: 'Count',
  StripeEventsLost: 'Count',
  StripeEventAgeSeconds: 'Seconds',
  BillingDriftCorrected: 'Count',
  SweepFailures: 'Count',
  AuditConflicts: 'Count',
} as const

export type MetricName = keyof typeof units
type Metrics = Partial<Record<MetricName, number>>

/** Logs a line at info whose members `metrics` are counted, by stage and, where there is one, by reason. */
export function emitMetrics(
  message: string,
  metrics: Metrics,
  told: Record<string, unknown> & { reason?: string },
): void {
  const names = Object.keys(metrics) as MetricName[]
  log.info(message, {
    _aws: {
      Timestamp: Date.now(),
      CloudWatchMetrics: [
        {
          Namespace: metricNamespace,
          Dimensions: told.reason === undefined ? [['stage']] : [['stage'], ['stage', 'reason']],
          Metrics: names.map((Name) => ({ Name, Unit: units[Name] })),
        },
      ],
    },
    stage: environment('stage') ?? 'unknown',
    ...metrics,
    ...told,
  })
}
