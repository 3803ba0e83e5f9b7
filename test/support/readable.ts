/**
 * How tests read JSON. A test calls an operation, reads the member that it is about, and then asserts its value: whether
 * the member is there is part of the assertion. So every member that an answer can have is typed as present.
 */
import type { AnyJson, EntryOf, MemberOf, NamesOf, Scalar } from '../../shared/http/answer.ts'

type Widened<Value> = Value extends string ? string : Value extends number ? number : boolean

/**
 * The members of all parts of a union, none of them null or absent, at any depth; words of a closed list are strings. JSON
 * of any shape is `unknown`.
 */
export type Readable<Value> = AnyJson extends Value
  ? unknown
  : [Value] extends [Scalar]
    ? Widened<NonNullable<Value>>
    : [NonNullable<Value>] extends [readonly unknown[]]
      ? ReadableArray<Readable<EntryOf<Value>>>
      : { [Name in NamesOf<Value>]: Readable<MemberOf<Value, Name>> }

/** A member whose name only the run of a test knows. */
export const memberOf = (body: object, name: string): unknown => (body as Record<string, unknown>)[name]

/** An array whose first entries, and those that are looked for, can be read without a check. */
export type ReadableArray<Entry> = {
  0: Entry
  1: Entry
  2: Entry
  at(index: number): Entry
  find(isWanted: (entry: Entry, index: number) => unknown): Entry
} & Entry[]
