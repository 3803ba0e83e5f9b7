/** Reads values of unknown shape: a member that is missing, or of another type, is absent. */

export const object = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

/** Replaces lone surrogates, which UTF-8 cannot store: an audit event's hash must be the same after storage. */
export const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value.toWellFormed() : undefined
