/**
 * Metrics in CloudWatch's embedded metric format: a log line names which of its members are metrics, so a metric costs
 * no API call. Dimensions are the stage and, for some, a reason from a closed list; never an org.
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
  AuditEventsSealed: 'Count',
  AuditSealSeconds: 'Seconds',
  AuditFaults: 'Count',
  DeliveriesQueued: 'Count',
  DeliveryAttempts: 'Count',
  DeliveryAgeSeconds: 'Seconds',
  DeliveriesDelivered: 'Count',
  DeliveriesFailed: 'Count',
  IntegrationsDisabled: 'Count',
} as const

export type MetricName = keyof typeof units
type Metrics = Partial<Record<MetricName, number>>

/** Emits metrics as one log line at info, by stage and, if given, by reason. */
export function emitMetrics(
  message: string,
  metrics: Metrics,
  fields: Record<string, unknown> & { reason?: string },
): void {
  const names = Object.keys(metrics) as MetricName[]
  log.info(message, {
    _aws: {
      Timestamp: Date.now(),
      CloudWatchMetrics: [
        {
          Namespace: metricNamespace,
          Dimensions: fields.reason === undefined ? [['stage']] : [['stage'], ['stage', 'reason']],
          Metrics: names.map((Name) => ({ Name, Unit: units[Name] })),
        },
      ],
    },
    stage: environment('stage') ?? 'unknown',
    ...metrics,
    ...fields,
  })
}
