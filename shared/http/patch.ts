/** Merge-patch bodies (RFC 7396) and the precondition that guards them. */
import * as z from 'zod'
import { ProblemError } from '../problem.ts'
import type { Mutation } from '../storage/commit.ts'
import { type Answer, etagOf } from './answer.ts'

/**
 * The body of a PATCH: at least one of the fields. An absent field stays the same. `null` clears a field whose schema
 * allows null. `flags` change how the operation works; a body of flags alone changes nothing, so it is refused.
 */
export const patchBody = <Fields extends z.ZodRawShape, Flags extends z.ZodRawShape = Record<never, never>>(
  fields: Fields,
  flags?: Flags,
) =>
  z
    .strictObject({ ...z.object(fields).partial().shape, ...(flags ?? ({} as Flags)) })
    .refine((body) => Object.keys(fields).some((name) => (body as Record<string, unknown>)[name] !== undefined), {
      error: `must change at least one field: ${Object.keys(fields).join(', ')}`,
    })
    .meta({ minProperties: 1 })

/** Writes a change with its audit event, and returns the answer. */
export type Commit<Given extends Answer> = (mutation: Mutation, answer: Given) => Promise<Given>

/** Commits a change. Without a change, it returns the answer and writes no event. */
export const commitIfChanged = async <Given extends Answer>(
  commit: Commit<Given>,
  mutation: Mutation,
  answer: Given,
): Promise<Given> => (mutation.diff.length === 0 ? answer : commit(mutation, answer))

/**
 * Compares `If-Match` with the validator of the current view and of `unseen`.
 *
 * @throws ProblemError `precondition_failed`
 */
export function requireMatch(
  headers: Readonly<Record<string, string>>,
  resource: unknown,
  unseen?: string | number,
): void {
  const wanted = headers['if-match']
  if (wanted === undefined) return
  const etag = etagOf(resource, unseen)
  if (wanted.split(',').some((tag) => tag.trim() === '*' || tag.trim() === etag)) return
  throw new ProblemError(
    'precondition_failed',
    'The resource has changed since it was read: If-Match names another ETag. Read it again.',
  )
}
