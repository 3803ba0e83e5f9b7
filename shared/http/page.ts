/** Pagination of lists. A cursor is valid only for its own org and filters. */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import * as z from 'zod'
import type { Caller } from '../auth/caller.ts'
import { countQuery } from '../fields.ts'
import { lazy } from '../lazy.ts'
import { invalidCursor } from '../problem.ts'
import type { PageSpec } from '../table/page-spec.ts'
import { type JsonAnswer, ok } from './answer.ts'

export const pageQuery = lazy(() => ({
  limit: countQuery(1, 100, 50).meta({ description: 'Entries per page.' }),
  cursor: z
    .string()
    .max(2000)
    .meta({ pattern: '^[A-Za-z0-9_-]+$' })
    .optional()
    .meta({ description: 'The `next_cursor` of the previous page.' }),
}))

/** The answer of a list. A filtered page may have fewer entries than `limit`; only a null cursor marks the end. */
export const pageOf = <Entry extends z.ZodType>(entry: Entry) =>
  z.object({
    data: z.array(entry),
    next_cursor: z.string().nullable().meta({ description: 'Pass as `cursor` for the next page; null at the end.' }),
  })

/** One page of a list, as `pageOf` declares it. */
export interface Page<Entry> {
  data: Entry[]
  next_cursor: string | null
}

interface ListCall<Filter> {
  caller: Caller
  query: Filter & { limit: number; cursor?: string | undefined }
  now: Date
}

/** Answers one page of a list. `read` reads it, under the request's filters. */
export async function listPage<Filter extends object, Entry>(
  { caller, query, now }: ListCall<Filter>,
  read: (filter: Filter, page: PageSpec) => Promise<{ data: Entry[]; next: string | undefined }>,
): Promise<JsonAnswer<Page<Entry>, 200>> {
  const { limit, cursor, ...filter } = query
  const cursors = cursorsFor(caller.orgId, filter)
  // A query without its paging parameters is the filter.
  const { data, next } = await read(filter as unknown as Filter, { limit, after: cursors.decode(cursor), now })
  return ok({ data, next_cursor: cursors.encode(next) })
}

/** Cursors of one list: a sort key, and a digest of the sort key, the org and the filters. */
export function cursorsFor(orgId: string, filter: object) {
  const digestOf = (position: string): string =>
    createHash('sha256')
      .update(canonicalize([orgId, filter, position]) ?? '')
      .digest('base64url')
      .slice(0, 12)
  return {
    decode(cursor: string | undefined): string | undefined {
      if (cursor === undefined) return undefined
      const text = Buffer.from(cursor, 'base64url').toString('utf8')
      const space = text.indexOf(' ')
      const after = text.slice(space + 1)
      if (after === '' || after.length > maxPositionLength || text.slice(0, space) !== digestOf(after))
        throw invalidCursor()
      return after
    },
    encode: (next: string | undefined): string | null =>
      next === undefined ? null : Buffer.from(`${digestOf(next)} ${next}`).toString('base64url'),
  }
}

/** Sort keys of lists are shorter. For one above 1024 bytes DynamoDB returns an error, which would become a 500. */
const maxPositionLength = 200

/** The `Link` header to the page after this one, with the same query; none at the end. */
export function nextLink(path: string, query: Record<string, string | undefined>, cursor: string | null) {
  if (cursor === null) return {}
  const given = Object.entries({ ...query, cursor }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  return { link: `<${path}?${new URLSearchParams(given)}>; rel="next"` }
}
