/**
 * The row of a month: all counters of an org in one row. So a request of one month needs a single update, and DynamoDB queues
 * concurrent updates instead of canceling them. Attributes have short names, because a write is billed by the row's size.
 */

import { queryPage } from '../table/query.ts'
import { getRow } from '../table/read.ts'
import { orgPartition, type Row, type RowKey } from '../table/rows.ts'
import type { Metric } from '../usage-limits/record.ts'
import { levelMetrics } from './metrics.ts'

const letters: Record<Metric, string> = {
  hosted_requests_monthly: 'h',
  api_requests_monthly: 'a',
  managed_billable_micros_monthly: 'b',
  max_devices: 'd',
  max_models: 'm',
  storage_gb: 's',
  training_rounds_monthly: 't',
  model_downloads_monthly: 'l',
}

/** The attributes of a metric. A level has its time beside each value; times are epoch milliseconds. */
export const attributes = {
  used: (metric: Metric) => letters[metric],
  setAt: (metric: Metric) => `${letters[metric]}@`,
  day: (metric: Metric, day: string) => `${letters[metric]}${day}`,
  daySetAt: (metric: Metric, day: string) => `${letters[metric]}${day}@`,
  /** When the event of a threshold was appended. */
  reached: (metric: Metric, percent: number) => `${letters[metric]}!${percent}`,
}

/** Not the org's own partition: a hot metric must not slow down the settings. */
export const usagePartition = (orgId: string): string => `${orgPartition(orgId)}#USAGE`
const prefix = 'MONTH#'
export const monthKey = (orgId: string, month: string): RowKey => ({
  pk: usagePartition(orgId),
  sk: `${prefix}${month}`,
})

/** A month as read. */
export interface Month {
  month: string
  /** Numbers by attribute. A month without a row has the levels of the latest month before it. */
  values: Readonly<Record<string, number>>
  isStored: boolean
  /** Changes with every level. */
  version: number
  /** The last write. */
  last: string | undefined
  /** Of a month without a row: the month that its levels come from, and its version if it has a row. */
  source: { month: string; version: number | undefined } | undefined
}

export async function readMonth(orgId: string, month: string): Promise<Month> {
  const row = await getRow(monthKey(orgId, month))
  if (row) return storedMonth(row)
  const to = monthKey(orgId, month).sk
  const page = { partition: usagePartition(orgId), prefix, to, limit: 1, newestFirst: true }
  const [latest] = (await queryPage(page)).rows
  if (!latest) return { month, values: {}, isStored: false, version: 0, last: undefined, source: undefined }
  return latest.sk === to ? storedMonth(latest) : followingMonth(month, storedMonth(latest))
}

export function storedMonth({ pk: _pk, sk, version, last, expires_at_epoch: _expiry, ...values }: Row): Month {
  return {
    month: sk.slice(prefix.length),
    // All other attributes are counters and times.
    values: values as Record<string, number>,
    isStored: true,
    version: version as number,
    last: last as string | undefined,
    source: undefined,
  }
}

/** A month without a row: levels start at their values in `latest`. */
export function followingMonth(month: string, latest: Month): Month {
  const names = levelMetrics.flatMap((metric) => [attributes.used(metric), attributes.setAt(metric)])
  const values = Object.fromEntries(
    names.flatMap((name) => {
      const value = latest.values[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
  const source = { month: latest.month, version: latest.isStored ? latest.version : undefined }
  return { month, values, isStored: false, version: 0, last: undefined, source }
}

export const usedOf = ({ values }: Month, metric: Metric): number => values[attributes.used(metric)] ?? 0

/** The days with records, oldest first. */
export const daysOf = ({ month, values }: Month, metric: Metric): { date: string; used: number }[] =>
  Array.from({ length: 31 }, (_, index) => String(index + 1).padStart(2, '0')).flatMap((day) => {
    const used = values[attributes.day(metric, day)]
    return used === undefined ? [] : [{ date: `${month}-${day}`, used }]
  })
