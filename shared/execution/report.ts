/** The schemas of reports about targets, and of their health. */
import * as z from 'zod'
import { referenceField } from '../fields.ts'
import { idPattern } from '../ids.ts'
import { lazy } from '../lazy.ts'
import { envTargetId } from './local-target.ts'
import { routingSchema } from './routing.ts'

const reportableId = lazy(() => {
  const sources = [...(['tgt', 'conn', 'cred'] as const).map((prefix) => idPattern(prefix).source), `^${envTargetId}$`]
  return z
    .string()
    .regex(new RegExp(sources.join('|')), 'must be the id of a local target, a connection or a credential')
    .meta({
      description: 'Id of the local target, connection or credential; `env` is the local target of the deployment.',
    })
})

/** More than any server handles between two reports. */
const count = lazy(() => z.int().min(0).max(1_000_000))

export const reportsBody = lazy(() =>
  z.strictObject({
    reporter_id: referenceField().optional().meta({
      description:
        'Distinguishes servers that share a key: the last `inflight` of each counts. Default: the credential.',
    }),
    reports: z
      .array(
        z.strictObject({
          target_id: reportableId(),
          started: count().meta({ description: 'Requests begun since the last report.' }),
          succeeded: count().meta({ description: 'Requests that ended well since then.' }),
          failed: count().meta({ description: 'Requests that failed since then.' }),
          inflight: count().meta({ description: 'Requests under way now.' }),
          tokens: z.int().min(0).max(1_000_000_000).optional().meta({ description: 'Tokens used since then.' }),
          latency_ms_p50: z.number().min(0).max(3_600_000).optional().meta({ description: 'Median since then.' }),
          retry_after_seconds: z.int().min(0).max(86_400).optional().meta({
            description: 'The pause that the target asked for (Retry-After); opens a cooldown.',
          }),
        }),
      )
      .min(1)
      .max(100)
      .meta({ description: 'One report per target. Either all reports count, or none.' }),
  }),
)

export type ReportsBody = z.infer<ReturnType<typeof reportsBody>>

const share = lazy(() => z.number().min(0).max(1).nullable())

export const executionHealthSchema = lazy(() =>
  z
    .object({
      data: z.array(
        z.object({
          target_id: z.string(),
          kind: z.enum(['local', 'connection', 'credential']),
          provider: z.string().meta({ description: 'The cloud AI provider; of a local target its runtime.' }),
          request_rate_per_minute: z.number(),
          token_rate_per_minute: z.number(),
          inflight: z.int().meta({ description: 'Sum of the reporters’ last gauges. Each gauge counts for 120 s.' }),
          success_rate: share().meta({ description: 'Null without samples.' }),
          failure_rate: share().meta({ description: 'Null without samples.' }),
          succeeded: z.int().meta({ description: 'Requests that ended well in the window.' }),
          failed: z.int().meta({ description: 'Requests that failed in the window.' }),
          sample_count: z.int().meta({ description: 'Requests that ended in the window.' }),
          latency_ms_p50: z
            .int()
            .nullable()
            .meta({ description: 'Mean of the reported medians, weighted by ended requests.' }),
          stale: z.boolean().meta({ description: 'Nothing was reported in the last 120 s.' }),
          cooldown: z.object({
            active: z.boolean(),
            until: z.iso.datetime().nullable(),
            reason: z.enum(['failure_rate', 'retry_after', 'trial_failed']).nullable(),
            trial: z
              .boolean()
              .meta({ description: 'A cooldown has ended; the next report decides whether it reopens.' }),
          }),
          last_verified_at: z.iso.datetime().nullable(),
          verification_latency_ms: z.int().nullable().meta({ description: 'Of the last test that succeeded.' }),
          verification_error: z.string().nullable().meta({ description: 'Why the last test failed.' }),
        }),
      ),
      routing: routingSchema(),
      window_seconds: z.int().meta({ description: 'Length of the window of the rates: 240 to 300.' }),
      as_of: z.iso.datetime(),
    })
    .meta({ id: 'ExecutionHealth' }),
)

export type ExecutionHealth = z.infer<ReturnType<typeof executionHealthSchema>>
