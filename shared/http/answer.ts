/** Answers of handlers, and their translation to results for API Gateway. */
import { createHash } from 'node:crypto'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import canonicalize from 'canonicalize'
import type * as z from 'zod'

/** An answer of any operation, as the pipeline handles it. */
export interface Answer {
  status: number
  /** The JSON body; undefined for none. */
  body?: unknown
  /** Secrets that only this answer shows. They are added to its body, and left out of every replay. */
  once?: Readonly<Record<string, string>>
  headers?: Readonly<Record<string, string>>
  /** The resource already had the requested state, so the request changed nothing. */
  unchanged?: boolean
  /** A body that is not JSON, in its final form. `headers` has its media type. */
  raw?: { body: string; isBase64Encoded: boolean }
}

/** An answer with a JSON body. */
export interface JsonAnswer<Body, Status extends number> extends Answer {
  status: Status
  body: Body
}

/** The body, read-only: handlers may pass constants. */
export type Immutable<Value> = AnyJson extends Value
  ? Value
  : { readonly [Name in keyof Value]: Immutable<Value[Name]> }

/** An answer without a JSON body. */
export interface EmptyAnswer<Status extends number> extends Answer {
  status: Status
  body?: undefined
}

/**
 * `Answer` where every member of its body is declared in `Declared`, at any depth; an undeclared member has the type
 * `never`. Assignability alone lets such members pass, and one of them could be a secret.
 */
export type Exact<Value, Declared> = AnyJson extends Declared
  ? Value
  : Value extends Scalar
    ? Value
    : Value extends readonly (infer Entry)[]
      ? readonly Exact<Entry, EntryOf<Declared>>[]
      : {
          [Name in keyof Value]: Name extends NamesOf<Declared> ? Exact<Value[Name], MemberOf<Declared, Name>> : never
        }

/** Declared as any JSON: it has no members to compare. */
export type AnyJson = z.core.util.JSONType
export type Scalar = string | number | boolean | bigint | null | undefined
/** The member names of a union: those of any of its parts. */
export type NamesOf<Union> = Union extends Scalar ? never : keyof Union
export type MemberOf<Union, Name> = Union extends Scalar ? never : Name extends keyof Union ? Union[Name] : never
export type EntryOf<Union> = Union extends readonly (infer Entry)[] ? Entry : never

/**
 * A strong validator: a digest of the view and of `unseen`, which stands for data that the view hides. Two secrets can have
 * the same mask, but replacing one by the other must change the validator.
 */
export const etagOf = (resource: unknown, unseen?: string | number): string =>
  `"${createHash('sha256')
    .update(canonicalize(unseen === undefined ? resource : [resource, unseen]) ?? '')
    .digest('base64url')
    .slice(0, 27)}"`

/** JSON other than a single resource: lists, verdicts, documents. */
export const ok = <Body>(body: Body): JsonAnswer<Body, 200> => ({ status: 200, body })

/** One resource, with its validator. */
export const resource = <Body>(body: Body, unseen?: string | number): JsonAnswer<Body, 200> => ({
  status: 200,
  body,
  headers: { etag: etagOf(body, unseen) },
})

/** A new resource, its location, and the secrets that only this answer shows. */
export const created = <Body>(
  body: Body,
  location: string,
  once?: Readonly<Record<string, string>>,
  unseen?: string | number,
): JsonAnswer<Body, 201> => ({
  status: 201,
  body,
  headers: { etag: etagOf(body, unseen), location },
  ...(once ? { once } : {}),
})

/** The request was accepted. It takes effect later. */
export const accepted = <Body>(body: Body): JsonAnswer<Body, 202> => ({ status: 202, body })

/** Success without a body. */
export const noContent: EmptyAnswer<204> = { status: 204 }

/** The Lambda result of an answer, whose headers override `headers`, those of the exchange. */
export function toGatewayResult(answer: Answer, headers: Record<string, string>): APIGatewayProxyStructuredResultV2 {
  const merged = { ...headers, ...answer.headers }
  if (answer.raw) return { statusCode: answer.status, headers: merged, ...answer.raw }
  if (answer.body === undefined) return { statusCode: answer.status, headers: merged }
  return {
    statusCode: answer.status,
    headers: { 'content-type': 'application/json', ...merged },
    body: JSON.stringify(answer.once ? { ...(answer.body as object), ...answer.once } : answer.body),
  }
}
