/** Records of usage as clients send them, and the answers. */
import * as z from 'zod'
import { instantField } from '../fields.ts'
import { lazy } from '../lazy.ts'
import { limitField, modeField } from '../usage-limits/record.ts'
import { levelMetrics, sumMetrics } from './metrics.ts'
import { readableMonths } from './period.ts'

export const maxRecords = 100
const maxAmount = 10 ** 12

/** The hours in which an id counts once, and the age that a record can have. */
export const dedupeHours = 48
export const maxAgeHours = 24
export const maxAheadMinutes = 5

const shared = lazy(() => ({
  id: z
    .string()
    .regex(/^[\x20-\x7e]{1,128}$/, 'must be 1 to 128 printable ASCII characters')
    .exactOptional()
    .meta({ description: `Counts once in ${dedupeHours} hours, in the whole organization. Send it to retry safely.` }),
  at: instantField()
    .exactOptional()
    .meta({
      format: 'date-time',
      description: `When it happened: at most ${maxAgeHours} hours ago. Up to ${maxAheadMinutes} minutes ahead counts as now. Default: now.`,
    }),
}))

const sumRecord = lazy(() =>
  z
    .strictObject({
      id: shared().id,
      metric: z.enum(sumMetrics),
      add: z.int().min(1).max(maxAmount).meta({ description: 'The amount to add to the month of `at`.' }),
      at: shared().at,
    })
    .meta({ id: 'UsageSumRecord', description: 'Adds to a sum of the month.' }),
)

const levelRecord = lazy(() =>
  z
    .strictObject({
      id: shared().id,
      metric: z.enum(levelMetrics),
      set: z.int().min(0).max(maxAmount).meta({ description: 'The value from `at` on.' }),
      at: shared().at,
    })
    .meta({ id: 'UsageLevelRecord', description: 'Sets a level. An older `at` never replaces a newer one.' }),
)

export const usageRecordsBody = lazy(() =>
  z.strictObject({
    mode: z.enum(['record', 'consume']).default('record').meta({
      description: '`record` always counts. `consume` counts all records, or none if a limit would be passed.',
    }),
    records: z
      .array(z.discriminatedUnion('metric', [sumRecord(), levelRecord()]))
      .min(1)
      .max(maxRecords)
      .meta({ description: 'The records to count, in order.' }),
  }),
)

export type UsageRequest = z.output<ReturnType<typeof usageRecordsBody>>
export type UsageRecord = UsageRequest['records'][number]

const metricName = () => z.enum([...sumMetrics, ...levelMetrics])
const usedField = () => z.int().min(0)

/** The use of one metric beside its limit. */
const standing = lazy(() => ({
  used: usedField(),
  limit: limitField().meta({ description: 'The effective limit; null: no limit.' }),
  remaining: limitField().meta({ description: 'Room below the limit, never negative; null: no limit.' }),
  exceeded: z.boolean().meta({ description: 'Whether `used` is above the limit.' }),
}))

export const usageRecordedSchema = lazy(() =>
  z
    .object({
      accepted: z.int().min(0).meta({ description: 'Number of records counted by this request.' }),
      duplicates: z.int().min(0).meta({ description: 'Number of records whose `id` was already counted.' }),
      permitted: z.boolean().meta({ description: 'False: a limit refused the `consume`, and nothing was counted.' }),
      exceeded: z
        .array(z.object({ metric: metricName(), limit: usedField(), used: usedField(), requested: usedField() }))
        .meta({ description: 'The limits that refused the request. `used` is the use before it.' }),
      usage: z.partialRecord(metricName(), z.object(standing())).meta({
        description: 'This month’s usage of the metrics in the request.',
        // The generator requires every metric.
        override: ({ jsonSchema }: { jsonSchema: { required?: unknown } }) => {
          delete jsonSchema.required
        },
      }),
    })
    .meta({ id: 'UsageRecorded', description: 'What a request counted, and the usage after it.' }),
)

export type UsageRecorded = z.output<ReturnType<typeof usageRecordedSchema>>

export const periodQuery = lazy(() =>
  z.object({
    period: z
      .string()
      .regex(/^\d{4}-(?:0[1-9]|1[0-2])$/, 'must be a month such as 2030-01')
      .optional()
      .meta({
        description: `A calendar month in UTC, at most ${readableMonths} before this one. Default: this month.`,
      }),
  }),
)

export const usageSchema = lazy(() =>
  z
    .object({
      period: z.string().meta({ description: 'The calendar month in UTC.' }),
      starts_at: z.iso.datetime(),
      resets_at: z.iso.datetime().meta({ description: 'When the next month starts, with sums at zero.' }),
      data: z.record(
        metricName(),
        z.object({
          kind: z.enum(['sum', 'level']),
          ...standing(),
          mode: modeField(),
          plan_ceiling: limitField(),
          by_day: z
            .array(z.object({ date: z.iso.date(), used: usedField() }))
            .meta({ description: 'Days with records, oldest first: the sum of the day, or its last value.' }),
        }),
      ),
    })
    .meta({ id: 'Usage', description: 'The usage of every metric in one month, under the limits of today.' }),
)

export type UsageView = z.output<ReturnType<typeof usageSchema>>
