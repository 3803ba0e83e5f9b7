/** Fields of merge patches (RFC 7396). */
import type * as z from 'zod'

/** A field of a patch that `null` resets to its empty value. */
export const clearable = <Field extends z.ZodType>(field: Field, empty: z.output<Field>) =>
  field.nullable().transform((value) => value ?? empty)

/** The fields of a patch that are present. */
export const presentFields = <T extends object>(patch: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) as never
