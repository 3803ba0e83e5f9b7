/** Fields that many requests have. */
import * as z from 'zod'
import { lazy } from '../lazy.ts'
import { invalidInput } from './problem.ts'

/** Characters that change the order in which a page shows text; they can make one name look like another. */
const bidiControls = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/
/** Letters, numbers, punctuation, symbols: what leaves ink. Fillers and blank patterns are letters and symbols without. */
const visible = /[\p{L}\p{N}\p{P}\p{S}]/u
const inkless = /[\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]/g

const isVisible = (text: string): boolean => visible.test(text.replace(inkless, ''))

/** A name for people: 1 to 100 characters, no control characters, not blank. */
export const nameField = lazy(() =>
  z
    .string()
    .min(1, 'must not be blank')
    .max(100)
    .regex(/^\P{Cc}*$/u, 'must not hold control characters')
    .regex(/\S/, 'must not be blank')
    .refine((text) => !bidiControls.test(text), 'must not hold characters that change the direction of text')
    .refine(isVisible, 'must not be blank')
    .meta({ description: 'A name for people: 1 to 100 characters, not blank, without control characters.' }),
)

/** A reference to something of another part of the platform; what it names is not checked here. */
export const referenceField = lazy(() =>
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, 'must be 1 to 128 characters of A-Z a-z 0-9 . _ : -'),
)

/** ISO 8601 with an offset, in the extended format; seconds may be left out, and fractions follow a point or a comma. */
const isoInstant =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?:[Zz]|([+-])(\d{2})(?::?(\d{2}))?)$/

/** The instant as UTC with milliseconds; undefined when the text is none. */
export function parseInstant(text: string): string | undefined {
  const [
    ,
    year,
    month,
    day,
    hour,
    minute,
    second = '00',
    fraction = '',
    sign,
    offsetHours = '00',
    offsetMinutes = '00',
  ] = isoInstant.exec(text) ?? []
  if (year === undefined) return undefined
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  // A date that does not exist, such as 30 February, would be moved to one that does.
  const utcMs = Date.parse(`${local}.${fraction.padEnd(3, '0').slice(0, 3)}Z`)
  if (Number.isNaN(utcMs) || new Date(utcMs).toISOString().slice(0, local.length) !== local) return undefined
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return undefined
  const offsetMs = (sign === '-' ? -1 : 1) * (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000
  const instant = new Date(utcMs - offsetMs)
  const { length } = instant.toISOString()
  // An offset can lead out of the years 0000 to 9999, whose texts are longer and do not sort.
  return length === isoLength ? instant.toISOString() : undefined
}

const isoLength = '2030-01-31T12:00:00.000Z'.length

/** An instant, given with an offset; kept as UTC with milliseconds. */
export const instantField = lazy(() =>
  z
    .string()
    .refine(
      (text) => parseInstant(text) !== undefined,
      'must be an ISO 8601 time with an offset, like 2030-01-31T12:00:00Z',
    )
    .transform((text) => parseInstant(text) ?? text)
    .meta({ format: 'date-time' }),
)

/**
 * Judged by the handler and not by the schema: the replay of a request must not depend on the clock.
 *
 * @throws ProblemError `invalid_input`
 */
export function requireFuture(path: string, instant: string | null | undefined, now: Date): void {
  if (typeof instant !== 'string' || Date.parse(instant) > now.getTime()) return
  throw invalidInput([{ path, code: 'invalid_value', message: 'must be in the future' }])
}

/** A number of a query string: decimal digits, without sign, exponent or prefix. The reference shows it as an integer. */
export const decimalField = ({
  max,
  fallback,
  description,
}: {
  max: number
  fallback: number
  description: string
}) => {
  const rule = `must be a whole number from 1 to ${max}`
  return z
    .string()
    .regex(/^[1-9]\d{0,5}$/, rule)
    .refine((text) => Number(text) <= max, rule)
    .transform(Number)
    .default(fallback)
    .meta({ description, format: decimalFormat, minimum: 1, maximum: max })
}

/** Marks a text of digits for the generator of the reference. */
export const decimalFormat = 'decimal'

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
