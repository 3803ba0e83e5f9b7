/** Lists: the query that pages them, and cursors that hold only for the org and the filters that they were made for. */
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
  limit: countQuery(1, 100, 50).meta({ description: 'Entries a page.' }),
  cursor: z
    .string()
    .max(2000)
    .meta({ pattern: '^[A-Za-z0-9_-]+$' })
    .optional()
    .meta({ description: '`next_cursor` of the page before.' }),
}))

/** The answer of a list. A filtered page may hold fewer entries than `limit`; only a null cursor is the end. */
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

/** Answers one page of a list, read by `read` under the request's filters. */
export async function listPage<Filter extends object, Entry>(
  { caller, query, now }: ListCall<Filter>,
  read: (filter: Filter, page: PageSpec) => Promise<{ data: Entry[]; next: string | undefined }>,
): Promise<JsonAnswer<Page<Entry>, 200>> {
  const { limit, cursor, ...filter } = query
  const cursors = cursorsFor(caller.orgId, filter)
  // What is left of the query once the paging is taken out is the filter.
  const { data, next } = await read(filter as unknown as Filter, { limit, after: cursors.open(cursor), now })
  return ok({ data, next_cursor: cursors.seal(next) })
}

/** Cursors of one list: a sort key beside a digest of it and of what the list was asked for. */
export function cursorsFor(orgId: string, filter: object) {
  const digestOf = (position: string): string =>
    createHash('sha256')
      .update(canonicalize([orgId, filter, position]) ?? '')
      .digest('base64url')
      .slice(0, 12)
  return {
    open(cursor: string | undefined): string | undefined {
      if (cursor === undefined) return undefined
      const text = Buffer.from(cursor, 'base64url').toString('utf8')
      const space = text.indexOf(' ')
      const after = text.slice(space + 1)
      if (after === '' || after.length > maxPositionLength || text.slice(0, space) !== digestOf(after))
        throw invalidCursor()
      return after
    },
    seal: (next: string | undefined): string | null =>
      next === undefined ? null : Buffer.from(`${digestOf(next)} ${next}`).toString('base64url'),
  }
}

/** No sort key of a list is longer; DynamoDB refuses those above 1024 bytes with an error that is not the caller's. */
const maxPositionLength = 200
