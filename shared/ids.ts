/** Ids: a typed prefix and a ULID in lower case. An id shows its kind and sorts by its creation time. */
import { randomFillSync } from 'node:crypto'
import { decodeTime, encodeTime, monotonicFactory } from 'ulid'
import * as z from 'zod'

const idPrefixes = ['org', 'key', 'conn', 'cred', 'tgt', 'int', 'aud', 'chk', 'dlv'] as const
export type IdPrefix = (typeof idPrefixes)[number]

/** The library's own random source loads Web Crypto, which costs 5 ms of a cold start, and fetches each character alone. */
function randomFraction(): number {
  if (unused === 0) {
    randomFillSync(pool)
    unused = pool.length
  }
  return (pool[--unused] ?? 0) / 2 ** 32
}
const pool = new Uint32Array(256)
let unused = 0

// Monotonic: records that one process creates in the same millisecond sort in the order of their creation.
export const nextUlid = monotonicFactory(randomFraction)

/** A new id such as `key_01jd3v7k3q9x5m2n8r4t6w0y1z`. */
export const newId = (prefix: IdPrefix): string => `${prefix}_${nextUlid().toLowerCase()}`

let eventUlid = monotonicFactory(randomFraction)
let lastEventMs = 0

/**
 * An id of an audit event, with exactly this time in it: the id names the row. Events of one process in the same
 * millisecond sort in their order. A clock that goes back starts anew.
 */
export function newEventId(time: Date): string {
  const ms = time.getTime()
  if (ms < lastEventMs) eventUlid = monotonicFactory(randomFraction)
  lastEventMs = ms
  return `aud_${eventUlid(ms).toLowerCase()}`
}

/** The start of the ids of a time: the ids of that millisecond and of later ones are greater. */
export const firstIdOf = (prefix: IdPrefix, time: string): string =>
  `${prefix}_${encodeTime(Math.max(0, Date.parse(time))).toLowerCase()}`

/** Crockford base32 without I, L, O and U; the first character of a ULID is at most 7 (48 bits of time). */
const ulidPattern = '[0-7][0-9a-hjkmnp-tv-z]{25}'

export const idPattern = (prefix: IdPrefix): RegExp => new RegExp(`^${prefix}_${ulidPattern}$`)

/** The creation time of an id, as ISO 8601. */
export const bornAt = (id: string): string =>
  new Date(decodeTime(id.slice(id.indexOf('_') + 1).toUpperCase())).toISOString()

/** Whether a text is an id of any kind. */
export const isId = (text: string): boolean => idPrefixes.some((prefix) => idPattern(prefix).test(text))

export const idSchema = (prefix: IdPrefix, description: string) =>
  z.string().regex(idPattern(prefix), `must be an id that starts with ${prefix}_`).meta({ description })
