/** Fields that many requests have. */
import * as z from 'zod'
import { lazy } from '../lazy.ts'

/** A name for people: 1 to 100 characters, no control characters, not blank. */
export const nameField = lazy(() =>
  z
    .string()
    .min(1, 'must not be blank')
    .max(100)
    .regex(/^\P{Cc}*$/u, 'must not hold control characters')
    .regex(/\S/, 'must not be blank')
    .meta({ description: 'A name for people: 1 to 100 characters, not blank, without control characters.' }),
)

/** A reference to something of another part of the platform; what it names is not checked here. */
export const referenceField = lazy(() =>
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, 'must be 1 to 128 characters of A-Z a-z 0-9 . _ : -'),
)

const isoLength = '2030-01-31T12:00:00.000Z'.length

/** An instant, given with an offset; kept as UTC with milliseconds. */
export const instantField = lazy(() =>
  z.iso
    .datetime({ offset: true, error: 'must be an ISO 8601 time with an offset, like 2030-01-31T12:00:00Z' })
    .transform((text) => new Date(text).toISOString())
    // Beyond these years, which an offset can lead to, ISO 8601 has more digits and no longer sorts as text.
    .refine((text) => text.length === isoLength, 'must be within the years 0000 to 9999 in UTC'),
)

/** An instant in the future. */
export const futureInstantField = lazy(() =>
  instantField().refine((text) => Date.parse(text) > Date.now(), 'must be in the future'),
)

/**
 * A record with its fields in the order in which people read them, and those of objects inside sorted. A table hands both
 * back in any order, and one resource with one strong `ETag` must be the same bytes every time.
 */
export function inOrder<T extends object>(order: readonly (keyof T)[], record: T): T {
  return Object.fromEntries(order.filter((name) => name in record).map((name) => [name, sorted(record[name])])) as T
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, part]) => [name, sorted(part)]))
}
