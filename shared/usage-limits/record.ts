/** Usage limits: the metrics, what a plan allows of each at most, and what an org has set below that. */
import * as z from 'zod'
import { cheapestPlan, type Plan } from '../billing/plans.ts'
import { lazy } from '../lazy.ts'

/** What the plan ceils each metric with; null: no plan does. */
const ceilings = {
  hosted_requests_monthly: (plan: Plan) => plan.limits.requests_monthly,
  api_requests_monthly: (plan: Plan) => plan.limits.requests_monthly,
  managed_billable_micros_monthly: () => null,
  max_devices: (plan: Plan) => plan.limits.max_devices,
  max_models: (plan: Plan) => plan.limits.max_models,
  storage_gb: (plan: Plan) => plan.limits.storage_gb,
  training_rounds_monthly: (plan: Plan) => plan.limits.training_rounds_monthly,
  model_downloads_monthly: (plan: Plan) => plan.limits.model_downloads_monthly,
} as const satisfies Record<string, (plan: Plan) => number | null>

export type Metric = keyof typeof ceilings
export const metrics = Object.keys(ceilings) as Metric[]

export const isMetric = (name: string): name is Metric => (metrics as readonly string[]).includes(name)

const limitField = lazy(() => z.int().min(0).nullable())
const modeField = lazy(() =>
  z
    .enum(['enforce', 'alert_only'])
    .meta({ description: 'What becomes of use above the limit: it is refused, or only told of.' }),
)
const setLimit = lazy(() =>
  z
    .strictObject({
      limit: limitField().meta({ description: 'null: no limit below the plan’s.' }),
      mode: modeField().default('enforce'),
    })
    .meta({ id: 'UsageLimitInput', description: 'A limit of one metric, to be set.' }),
)

const known = `known metrics: ${metrics.join(', ')}`

/** The body of a PUT: any of the metrics, at least one. An unknown one is answered with those that there are. */
export const usageLimitsBody = lazy(() => {
  const byMetric = Object.fromEntries(
    metrics.map((metric) => [
      metric,
      setLimit()
        .exactOptional()
        .meta({ description: `What to set ${metric} to.` }),
    ]),
  )
  return z.strictObject({
    limits: z
      // The list of names is that of the type.
      .strictObject(byMetric as Record<Metric, z.ZodExactOptional<ReturnType<typeof setLimit>>>, {
        error: ({ code }) => (code === 'unrecognized_keys' ? `is not a metric; ${known}` : undefined),
      })
      .refine((limits) => Object.keys(limits).length > 0, `must name at least one metric; ${known}`)
      .meta({ description: `What to set, by metric; ${known}.`, minProperties: 1 }),
  })
})

const shownLimit = lazy(() =>
  z.object({
    limit: limitField().meta({ description: 'What holds; null: no limit.' }),
    mode: modeField(),
    plan_ceiling: limitField(),
    source: z.enum(['plan', 'org']),
    updated_at: z.iso.datetime().nullable(),
  }),
)

export const usageLimitsSchema = lazy(() =>
  z
    .object({ limits: z.record(z.enum(metrics), shownLimit()) })
    .meta({ id: 'UsageLimits', description: 'The limit of every metric, and where it comes from.' }),
)

export type UsageLimitsView = z.infer<ReturnType<typeof usageLimitsSchema>>

/** What an org has set, by metric. */
export type LimitsRecord = Partial<
  Record<Metric, { limit: number | null; mode: 'enforce' | 'alert_only'; updated_at: string }>
>

/** What holds: the org's own limit where it is below the plan's, the plan's otherwise. */
export function toUsageLimitsView(stored: LimitsRecord, plan: Plan): z.infer<ReturnType<typeof usageLimitsSchema>> {
  const shown = metrics.map((metric) => {
    const plan_ceiling = ceilings[metric](plan)
    const own = stored[metric]
    const isOwn = own !== undefined && own.limit !== null && (plan_ceiling === null || own.limit <= plan_ceiling)
    return [
      metric,
      {
        limit: isOwn ? own.limit : plan_ceiling,
        mode: own?.mode ?? 'enforce',
        plan_ceiling,
        source: isOwn ? 'org' : 'plan',
        updated_at: own?.updated_at ?? null,
      },
    ] as const
  })
  // Every metric is there: the list is that of the type.
  return { limits: Object.fromEntries(shown) as z.infer<ReturnType<typeof usageLimitsSchema>>['limits'] }
}

const neverSet = { limit: null, mode: 'enforce' } as const

/** A limit to be set; without a mode, the mode stays as it is. */
type WantedLimits = Partial<Record<Metric, { limit: number | null; mode?: 'enforce' | 'alert_only' }>>

/** The limits with what a request sets; a metric that stays as it was keeps its time. */
export function withLimits(stored: LimitsRecord, wanted: WantedLimits, now: Date): LimitsRecord {
  const beforeOf = (name: string) => stored[name as Metric] ?? neverSet
  const changed = Object.entries(wanted)
    .map(([name, { limit, mode = beforeOf(name).mode }]) => [name, { limit, mode }] as const)
    .filter(([name, { limit, mode }]) => beforeOf(name).limit !== limit || beforeOf(name).mode !== mode)
  return {
    ...stored,
    ...Object.fromEntries(changed.map(([name, set]) => [name, { ...set, updated_at: now.toISOString() }])),
  }
}

/** The wishes that are above the plan's ceiling, each with the plan that would allow it. */
export function aboveCeiling(
  wanted: z.infer<ReturnType<typeof usageLimitsBody>>['limits'],
  plan: Plan,
): { path: string; message: string }[] {
  return Object.entries(wanted).flatMap(([name, { limit }]) => {
    const ceilingOf = ceilings[name as Metric]
    const ceiling = ceilingOf(plan)
    if (limit === null || ceiling === null || limit <= ceiling) return []
    const needed = cheapestPlan((candidate) => (ceilingOf(candidate) ?? limit) >= limit)
    const mend = needed ? `the plan ${needed.code} allows it` : 'no plan allows more than enterprise does'
    return [{ path: `limits.${name}.limit`, message: `is above the ${ceiling} of the plan ${plan.code}; ${mend}` }]
  })
}
