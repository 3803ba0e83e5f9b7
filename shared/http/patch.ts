/** Merge-patch bodies (RFC 7396) and the precondition that guards them. */
import * as z from 'zod'
import { ProblemError } from '../problem.ts'
import type { Mutation } from '../storage/commit.ts'
import { type Answer, etagOf } from './answer.ts'

/**
 * The body of a PATCH: any of the fields, at least one. Absent keeps; `null` clears where the field's own schema takes
 * it. `flags` are told to the operation and are no change by themselves.
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

/** Writes a change with its audit event, and hands back the answer. */
export type Commit<Given extends Answer> = (mutation: Mutation, answer: Given) => Promise<Given>

/** Commits a change; one that changes nothing is answered and leaves no event. */
export const commitIfChanged = async <Given extends Answer>(
  commit: Commit<Given>,
  mutation: Mutation,
  answer: Given,
): Promise<Given> => (mutation.diff.length === 0 ? answer : commit(mutation, answer))

/**
 * Holds `If-Match` against the resource as it would be served now, and what is unseen of it.
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
