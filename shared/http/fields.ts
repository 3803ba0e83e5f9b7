/** Fields that many requests have. */
import * as z from 'zod'

/** A name for people: 1 to 100 characters, no control characters, not blank. */
export const nameField = z
  .string()
  .min(1)
  .max(100)
  .regex(/^\P{Cc}*$/u, 'must not hold control characters')
  .regex(/\S/, 'must not be blank')

/** A reference to something of another part of the platform; what it names is not checked here. */
export const referenceField = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, 'must be 1 to 128 characters of A-Z a-z 0-9 . _ : -')

/** An instant in the future, with an offset; kept as UTC with milliseconds. */
export const futureInstantField = z.iso
  .datetime({ offset: true, error: 'must be an ISO 8601 time with an offset, like 2030-01-31T12:00:00Z' })
  .transform((text) => new Date(text).toISOString())
  .refine((text) => Date.parse(text) > Date.now(), 'must be in the future')

/** An instant of a range, kept as UTC with milliseconds. */
export const instantField = z.iso
  .datetime({ offset: true, error: 'must be an ISO 8601 time with an offset, like 2030-01-31T12:00:00Z' })
  .transform((text) => new Date(text).toISOString())

/** A record's fields in the order in which its schema declares them; a table hands them back in any. */
export function inSchemaOrder<T extends object>(schema: z.ZodObject, record: T): T {
  const entries = Object.keys(schema.shape).filter((name) => name in record)
  return Object.fromEntries(entries.map((name) => [name, record[name as keyof T]])) as T
}
