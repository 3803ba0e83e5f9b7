/** Fields that many requests have. */
import * as z from 'zod'
import { lazy } from './lazy.ts'
import { holdsRawKey } from './pasted-credentials.ts'

/** Invisible characters: blanks, Unicode's ignorable characters, and blank symbols that are neither. */
const invisible = /^[\s\p{Cf}\p{Default_Ignorable_Code_Point}\u2800\u{13441}\u{13442}\u{16fe4}\u{1d159}]*$/u
const controls = /\p{Cc}/u
/** Characters that change the direction of text can disguise a name. */
const bidiControls = /\p{Bidi_Control}/u

/** A format fault found by code, since patterns in the OpenAPI document must be portable. */
const asFormat = (error: string) => ({ error, params: { code: 'invalid_format' } })

/** Whether a text has a visible character. */
export const isVisible = (text: string): boolean => !invisible.test(text)

/** A name for people: visible, without control characters. */
export const nameField = (maxLength = 100) =>
  z
    .string()
    .min(1, 'must not be blank')
    .max(maxLength)
    .refine((name) => !controls.test(name), asFormat('must not hold control characters'))
    .refine(isVisible, asFormat('must not be blank'))
    .refine((name) => !holdsRawKey(name), asFormat('must not hold an API key: names are shown'))
    .refine((name) => !bidiControls.test(name), asFormat('must not hold characters that change the direction of text'))
    .meta({
      // The part of these rules that every client's regular expressions support.
      pattern: String.raw`^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$`,
      description: `A name for people: 1 to ${maxLength} characters, not blank, without control characters and without characters that change the direction of text.`,
    })

/** A number in a query: decimal digits only, not JavaScript's other number formats. */
export const countQuery = (min: number, max: number, fallback: number) =>
  z.preprocess(
    (text) => (typeof text === 'string' && /^(?:0|[1-9]\d{0,9})$/.test(text) ? Number(text) : text),
    z
      .int({ error: `must be a whole number from ${min} to ${max} in decimal digits` })
      .min(min)
      .max(max)
      .default(fallback),
  )

/** A reference to an object of another part of the platform. This service does not check that it exists. */
export const referenceField = lazy(() =>
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, 'must be 1 to 128 characters of A-Z a-z 0-9 . _ : -'),
)

const isoLength = '2030-01-31T12:00:00.000Z'.length

/** A date and a time with offset, in the extended and the basic form of ISO 8601. */
const instantPattern = new RegExp(
  [
    /^(?<year>\d{4})(?:-(?<month>\d\d)-(?<day>\d\d)|(?<basicMonth>\d\d)(?<basicDay>\d\d))/,
    /[Tt](?<hour>\d\d)(?::?(?<minute>\d\d)(?::?(?<second>\d\d))?)?(?:[.,](?<fraction>\d+))?/,
    /(?:[Zz]|(?<sign>[+\-\u2212])(?<offsetHour>\d\d)(?::?(?<offsetMinute>\d\d))?)$/,
  ]
    .map(({ source }) => source)
    .join(''),
)

type InstantParts = Record<string, string | undefined>

const numberOf = (digits: string | undefined): number => Number(digits ?? 0)

/** Epoch milliseconds of an ISO 8601 instant; undefined for any other text. */
function instantMs(text: string): number | undefined {
  const parts = instantPattern.exec(text)?.groups
  if (!parts) return undefined
  const [dateMs, timeMs, offset] = [midnightMs(parts), timeOfDayMs(parts), offsetMs(parts)]
  if (dateMs === undefined || timeMs === undefined || offset === undefined) return undefined
  return dateMs + timeMs - offset
}

function midnightMs({ year, month, day, basicMonth, basicDay }: InstantParts): number | undefined {
  const [monthIndex, dayOfMonth] = [numberOf(month ?? basicMonth) - 1, numberOf(day ?? basicDay)]
  const date = new Date(0)
  // Date.UTC would read the years 0 to 99 as 1900 to 1999.
  date.setUTCFullYear(numberOf(year), monthIndex, dayOfMonth)
  return date.getUTCMonth() === monthIndex && date.getUTCDate() === dayOfMonth ? date.getTime() : undefined
}

function timeOfDayMs(parts: InstantParts): number | undefined {
  const [hour, minute, second] = [numberOf(parts.hour), numberOf(parts.minute), numberOf(parts.second)]
  // 24:00 is the end of a day. A leap second counts as the first second of the next minute.
  if (hour > 24 || minute > 59 || second > 60) return undefined
  // A fraction belongs to the last written unit.
  const unitMs = parts.second ? 1000 : parts.minute ? 60_000 : 3_600_000
  const fractionMs = Math.floor(Number(`0.${parts.fraction ?? 0}`) * unitMs)
  const timeMs = ((hour * 60 + minute) * 60 + second) * 1000 + fractionMs
  return timeMs > dayMs ? undefined : timeMs
}

function offsetMs({ sign, offsetHour, offsetMinute }: InstantParts): number | undefined {
  const [hour, minute] = [numberOf(offsetHour), numberOf(offsetMinute)]
  if (hour > 23 || minute > 59) return undefined
  return (hour * 60 + minute) * 60_000 * (sign === '+' ? 1 : -1)
}

const dayMs = 86_400_000

/** An ISO 8601 instant with an offset; stored as UTC with milliseconds. */
export const instantField = lazy(() =>
  z
    .string()
    .max(100)
    .transform((text, context) => {
      const ms = instantMs(text)
      if (ms !== undefined) return new Date(ms).toISOString()
      const { error: message, params } = asFormat('must be an ISO 8601 time with an offset, like 2030-01-31T12:00:00Z')
      context.addIssue({ code: 'custom', message, params })
      return z.NEVER
    })
    // An offset can lead beyond these years, where ISO 8601 has more digits and no longer sorts as text.
    .refine((text) => text.length === isoLength, 'must be within the years 0000 to 9999 in UTC')
    .meta({ format: 'date-time' }),
)

/** An instant in the future. */
export const futureInstantField = lazy(() =>
  instantField().refine((text) => Date.parse(text) > Date.now(), {
    error: 'must be in the future',
    params: pastInstant,
  }),
)

const pastInstant = { pastInstant: true }

/** Whether the only fault is that the time has passed: the same request was valid earlier. */
export const isPastInstant = (issue: z.core.$ZodIssue): boolean =>
  issue.code === 'custom' && issue.params?.pastInstant === true
