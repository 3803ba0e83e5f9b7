/** Metrics are log lines in CloudWatch's embedded format, and have no dimension per customer. */
import { expect, test } from 'vitest'
import { emitMetrics } from '../../../shared/runtime/metrics.ts'
import { logLines } from '../../support/logs.ts'

function lineOf(log: () => void): Record<string, unknown> {
  const before = logLines.length
  log()
  const [line = '{}'] = logLines.slice(before)
  return JSON.parse(line)
}

test('a line names its metrics, their units and dimensions, and holds their values', () => {
  const from = Date.now()
  const line = lineOf(() =>
    emitMetrics('refused', { StripeEventsRefused: 1, StripeEventAgeSeconds: 7 }, { reason: 'size', event_id: 'evt_1' }),
  )
  expect(line).toMatchObject({
    level: 'INFO',
    message: 'refused',
    stage: 'test',
    reason: 'size',
    event_id: 'evt_1',
    StripeEventsRefused: 1,
    StripeEventAgeSeconds: 7,
    _aws: {
      CloudWatchMetrics: [
        {
          Namespace: 'Octomil/Settings',
          Dimensions: [['stage'], ['stage', 'reason']],
          Metrics: [
            { Name: 'StripeEventsRefused', Unit: 'Count' },
            { Name: 'StripeEventAgeSeconds', Unit: 'Seconds' },
          ],
        },
      ],
    },
  })
  const { Timestamp } = line._aws as { Timestamp: number }
  expect(Timestamp).toBeGreaterThanOrEqual(from)
  expect(Timestamp).toBeLessThanOrEqual(Date.now())
})

test('an org is a property of a metric’s log line, never a dimension', () => {
  const line = lineOf(() => emitMetrics('corrected', { BillingDriftCorrected: 1 }, { org_id: 'org_1' }))
  expect(line.org_id).toBe('org_1')
  expect(JSON.stringify(line._aws)).toContain('"Dimensions":[["stage"]]')
})
