/** Usage limits: the metrics, the ceilings of the plans, and the lower limits that an org has set. */
import * as z from 'zod'
import { cheapestPlan, type Plan } from '../billing/plans.ts'
import { lazy } from '../lazy.ts'

/** The plan's ceiling for each metric; null: no plan limits it. */
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

export const limitField = lazy(() => z.int().min(0).nullable())
export const modeField = lazy(() =>
  z
    .enum(['enforce', 'alert_only'])
    .meta({ description: 'Effect of use above the limit: it is refused, or causes an alert only.' }),
)
const setLimit = lazy(() =>
  z
    .strictObject({
      limit: limitField().meta({ description: 'null: no limit below the plan’s.' }),
      mode: modeField().default('enforce'),
    })
    .meta({ id: 'UsageLimitInput', description: 'The limit to set for one metric.' }),
)

const known = `known metrics: ${metrics.join(', ')}`

/** The body of a PUT: at least one metric. The error for an unknown metric lists the known ones. */
export const usageLimitsBody = lazy(() => {
  const byMetric = Object.fromEntries(
    metrics.map((metric) => [
      metric,
      setLimit()
        .exactOptional()
        .meta({ description: `The limit to set for ${metric}.` }),
    ]),
  )
  return z.strictObject({
    limits: z
      // The names are those of the type.
      .strictObject(byMetric as Record<Metric, z.ZodExactOptional<ReturnType<typeof setLimit>>>, {
        error: ({ code }) => (code === 'unrecognized_keys' ? `is not a metric; ${known}` : undefined),
      })
      .refine((limits) => Object.keys(limits).length > 0, `must name at least one metric; ${known}`)
      .meta({ description: `The limits to set, by metric; ${known}.`, minProperties: 1 }),
  })
})

const shownLimit = lazy(() =>
  z.object({
    limit: limitField().meta({ description: 'The effective limit; null: no limit.' }),
    mode: modeField(),
    plan_ceiling: limitField(),
    source: z.enum(['plan', 'org']),
    updated_at: z.iso.datetime().nullable(),
  }),
)

const usedLimit = lazy(() =>
  shownLimit().extend({
    used: z.int().min(0).meta({ description: 'This month’s usage; the ETag does not cover it.' }),
    remaining: limitField().meta({ description: 'Room below the limit, never negative; null: no limit.' }),
    exceeded: z.boolean().meta({ description: 'Whether `used` is above the limit.' }),
  }),
)

export const usageLimitsSchema = lazy(() =>
  z
    .object({ limits: z.record(z.enum(metrics), usedLimit()) })
    .meta({ id: 'UsageLimits', description: 'The limit of every metric, its source, and this month’s usage.' }),
)

/** The limits without their use. The ETag covers these. */
export interface UsageLimitsView {
  limits: Record<Metric, z.infer<ReturnType<typeof shownLimit>>>
}

/** The limits that an org has set, by metric. */
export type LimitsRecord = Partial<
  Record<Metric, { limit: number | null; mode: 'enforce' | 'alert_only'; updated_at: string }>
>

/** The effective limits: the org's limit if it is below the plan's, else the plan's. */
export function toUsageLimitsView(stored: LimitsRecord, plan: Plan): UsageLimitsView {
  const shown = metrics.map((metric) => {
    const plan_ceiling = ceilings[metric](plan)
    const own = stored[metric]
    const isOwn = own !== undefined && own.limit !== null && (plan_ceiling === null || own.limit <= plan_ceiling)
    return [
      metric,
      {
        limit: isOwn ? own.limit : plan_ceiling,
        mode: isOwn ? own.mode : 'enforce',
        plan_ceiling,
        source: isOwn ? 'org' : 'plan',
        updated_at: own?.updated_at ?? null,
      },
    ] as const
  })
  // Every metric of the type is in the list.
  return { limits: Object.fromEntries(shown) as UsageLimitsView['limits'] }
}

const neverSet = { limit: null, mode: 'enforce' } as const

/** A limit to set. Without a mode, the mode stays the same. */
type WantedLimits = Partial<Record<Metric, { limit: number | null; mode?: 'enforce' | 'alert_only' }>>

/** The limits after a request. An unchanged metric keeps its time. */
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

/** The requested limits above the plan's ceiling, each with the plan that allows it. */
export function aboveCeiling(
  wanted: z.infer<ReturnType<typeof usageLimitsBody>>['limits'],
  plan: Plan,
): { path: string; message: string }[] {
  return Object.entries(wanted).flatMap(([name, { limit }]) => {
    const ceilingOf = ceilings[name as Metric]
    const ceiling = ceilingOf(plan)
    if (limit === null || ceiling === null || limit <= ceiling) return []
    const needed = cheapestPlan((candidate) => (ceilingOf(candidate) ?? limit) >= limit)
    const fix = needed ? `the plan ${needed.code} allows it` : 'no plan has a higher limit'
    return [
      { path: `limits.${name}.limit`, message: `exceeds the limit of ${ceiling} of the plan ${plan.code}; ${fix}` },
    ]
  })
}
