/** Pages of lists, newest first. The cursor is an object's id. */
import { type ApiError, invalidRequest } from './api-error.ts'

export interface Paging {
  limit?: number | undefined
  starting_after?: string | undefined
  ending_before?: string | undefined
}

interface Listed<T> {
  /** Newest first. */
  all: readonly T[]
  /** The page lists matching objects. The cursor may be any object of the kind. */
  matches?: (object: T) => boolean
  url: string
  /** The error for a cursor without an object. */
  missing: (id: string) => ApiError
}

export const defaultLimit = 10

/** One page of a list. */
export function page<T extends { id: string }>({ all, matches = () => true, url, missing }: Listed<T>, paging: Paging) {
  const { limit = defaultLimit, starting_after: after, ending_before: before } = paging
  if (after !== undefined && before !== undefined) {
    throw invalidRequest('You may only specify one of these parameters: starting_after, ending_before.', {
      code: 'parameters_exclusive',
    })
  }
  const cursor = after ?? before
  const place = all.findIndex(({ id }) => id === cursor)
  if (cursor !== undefined && place === -1) throw missing(cursor)
  const rest = (before === undefined ? all.slice(place + 1) : all.slice(0, place)).filter(matches)
  const data = before === undefined ? rest.slice(0, limit) : rest.slice(-limit)
  return { object: 'list', data, has_more: rest.length > data.length, url }
}
