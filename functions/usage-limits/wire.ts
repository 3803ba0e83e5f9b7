/** Usage limits in the records of the published contract: a list of the limited metrics. */
import * as z from 'zod'
import { wire } from '../../shared/http/published.ts'
import { lazy } from '../../shared/lazy.ts'
import { invalidInput } from '../../shared/problem.ts'
import { isMetric, metrics, type UsageLimitsView } from '../../shared/usage-limits/record.ts'

/** `devices` for `max_devices`, `storage` for `storage_gb`, `api_requests` for `api_requests_monthly`. */
const shortName = (metric: string): string => metric.replace(/^max_|_monthly$|_gb$/g, '')

const metricOf = (name: string): string => metrics.find((metric) => shortName(metric) === name) ?? name

export const usageLimitsView = lazy(() =>
  wire({
    body: z.strictObject({
      limits: z.array(z.strictObject({ metric: z.string(), limit_value: z.int().min(0) })).max(100),
    }),
    // A request sets the value only. The enforcement mode does not change.
    input: z.object({ limits: z.record(z.string(), z.object({ limit: z.int() })) }),
    toInput: ({ limits }) => {
      const wanted = limits.map(({ metric, limit_value }) => [metricOf(metric), { limit: limit_value }] as const)
      const faults = wanted.flatMap(([metric], index) => {
        const fault = faultOf(metric, wanted.findIndex(([name]) => name === metric) < index)
        return fault ? [{ path: `limits.${index}.metric`, code: 'invalid_value', message: fault }] : []
      })
      if (faults.length > 0) throw invalidInput(faults)
      return { limits: Object.fromEntries(wanted) }
    },
    toAnswer: ({ limits }: UsageLimitsView, { orgId }) => ({
      org_id: orgId,
      limits: Object.entries(limits).flatMap(([metric, { limit }]) =>
        limit === null ? [] : [{ metric, limit_value: limit }],
      ),
    }),
  }),
)

function faultOf(metric: string, isRepeated: boolean): string | undefined {
  if (!isMetric(metric)) return `is not a metric; known metrics: ${metrics.join(', ')}`
  return isRepeated ? 'must not be named twice' : undefined
}
