/** The types of calls, from the types of the API: what one takes, what it answers, and which ones answer in pages. */
import type { ParamsOption, RequestBodyOption } from 'openapi-fetch'
import type {
  FilterKeys,
  HttpMethod,
  MediaType,
  OkStatus,
  PathsWithMethod,
  RequiredKeysOf,
  ResponseObjectMap,
  SuccessResponse,
} from 'openapi-typescript-helpers'
import type { paths } from './schema.ts'

/** A page for browsers, and what Stripe signs and sends. */
type ForOthers = '/api/v1/docs' | '/api/v1/webhooks/stripe'

/** The paths that take a method. */
export type PathOf<Method extends HttpMethod> = Exclude<PathsWithMethod<paths, Method>, ForOthers>

type OperationOf<Path extends keyof paths, Method extends HttpMethod> = FilterKeys<paths[Path], Method>

/** What a call takes: parameters and body as the API declares them, and what is the caller's own. */
export type CallOptions<Path extends keyof paths, Method extends HttpMethod> = ParamsOption<OperationOf<Path, Method>> &
  RequestBodyOption<OperationOf<Path, Method>> & {
    /** Gives the call up, its pauses and repetitions too. */
    signal?: AbortSignal
  }

/** The body that a call takes. */
export type BodyOf<Path extends keyof paths, Method extends HttpMethod> =
  CallOptions<Path, Method> extends { body?: infer Body } ? NonNullable<Body> : never

/** The options of a call as its last argument, which may be left out where nothing in them is needed. */
export type OptionsArgument<Path extends keyof paths, Method extends HttpMethod> =
  RequiredKeysOf<CallOptions<Path, Method>> extends never
    ? [options?: CallOptions<Path, Method>]
    : [options: CallOptions<Path, Method>]

type DataOf<Path extends keyof paths, Method extends HttpMethod> =
  OperationOf<Path, Method> extends infer Operation extends Record<string | number, unknown>
    ? SuccessResponse<ResponseObjectMap<Operation>, MediaType>
    : never

/** Certain where the API says that all of an operation's successes have one. */
type ETagOf<Path extends keyof paths, Method extends HttpMethod> =
  OperationOf<Path, Method> extends { responses: infer Responses }
    ? Responses[keyof Responses & OkStatus] extends { headers: { ETag: string } }
      ? string
      : string | undefined
    : never

/** A call that succeeded. */
export interface Answer<Data, ETag = string | undefined, Replayed = boolean> {
  /** The body; undefined where there is none. */
  data: Data
  status: number
  /** For a later `If-Match`. */
  etag: ETag
  /** The answer is that of an earlier request with the same `Idempotency-Key`. */
  replayed: Replayed
  headers: Headers
}

/**
 * A raw key leaves the service once. If that answer was lost on the way, the repeated request is answered with the record
 * alone; so whoever takes a key has to ask whether it is `replayed` (and revoke or rotate what was made).
 */
type AnswerWith<Data, ETag> = 'api_key' extends keyof Data
  ? Answer<Data & { api_key: string }, ETag, false> | Answer<Omit<Data, 'api_key'> & { api_key?: never }, ETag, true>
  : Answer<Data, ETag>

export type AnswerOf<Path extends keyof paths, Method extends HttpMethod> = AnswerWith<
  DataOf<Path, Method>,
  ETagOf<Path, Method>
>

/** A method of the API as a function: `GET('/api/v2/settings')`. */
export type Call<Method extends HttpMethod> = <Path extends PathOf<Method>>(
  path: Path,
  ...options: OptionsArgument<Path, Method>
) => Promise<AnswerOf<Path, Method>>

type QueryOf<Path extends PathOf<'get'>> = NonNullable<paths[Path]['get']['parameters']['query']>

/** The paths that answer in pages. */
export type PagedPath = {
  [Path in PathOf<'get'>]: 'cursor' extends keyof QueryOf<Path> ? Path : never
}[PathOf<'get'>]

/** Those whose pages are lists of entries. */
export type ListPath = {
  [Path in PagedPath]: DataOf<Path, 'get'> extends { data: readonly unknown[] } ? Path : never
}[PagedPath]

export type PageOf<Path extends PagedPath> = DataOf<Path, 'get'>
export type EntryOf<Path extends ListPath> =
  DataOf<Path, 'get'> extends { data: readonly (infer Entry)[] } ? Entry : never
