/** The types of calls, from the types of the API: options, answers, and paginated operations. */
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

/** The browser page, and the webhook for Stripe. */
type ForOthers = '/api/v1/docs' | '/api/v1/webhooks/stripe'

/** The paths that support a method. */
export type PathOf<Method extends HttpMethod> = Exclude<PathsWithMethod<paths, Method>, ForOthers>

type OperationOf<Path extends keyof paths, Method extends HttpMethod> = FilterKeys<paths[Path], Method>

/** Options of a call: parameters and body of the API, and options of the client. */
export type CallOptions<Path extends keyof paths, Method extends HttpMethod> = ParamsOption<OperationOf<Path, Method>> &
  RequestBodyOption<OperationOf<Path, Method>> & {
    /** Aborts the call, including its pauses and retries. */
    signal?: AbortSignal
  }

/** The request body of a call. */
export type BodyOf<Path extends keyof paths, Method extends HttpMethod> =
  CallOptions<Path, Method> extends { body?: infer Body } ? NonNullable<Body> : never

/** The options of a call as its last argument, optional if none of them is required. */
export type OptionsArgument<Path extends keyof paths, Method extends HttpMethod> =
  RequiredKeysOf<CallOptions<Path, Method>> extends never
    ? [options?: CallOptions<Path, Method>]
    : [options: CallOptions<Path, Method>]

type DataOf<Path extends keyof paths, Method extends HttpMethod> =
  OperationOf<Path, Method> extends infer Operation extends Record<string | number, unknown>
    ? SuccessResponse<ResponseObjectMap<Operation>, MediaType>
    : never

/** Always set if every success of the operation has one. */
type ETagOf<Path extends keyof paths, Method extends HttpMethod> =
  OperationOf<Path, Method> extends { responses: infer Responses }
    ? Responses[keyof Responses & OkStatus] extends { headers: { ETag: string } }
      ? string
      : string | undefined
    : never

/** A successful call. */
export interface Answer<Data, ETag = string | undefined, Replayed = boolean> {
  /** The body; undefined if there is none. */
  data: Data
  status: number
  /** For a later `If-Match`. */
  etag: ETag
  /** Whether the answer replays an earlier request with the same `Idempotency-Key`. */
  replayed: Replayed
  headers: Headers
}

/**
 * The service returns a raw key once. If that answer was lost, the retry returns the record without the key. So check `replayed`
 * when you create a key, and revoke or rotate the key if it is true.
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

/** The paths with paginated answers. */
export type PagedPath = {
  [Path in PathOf<'get'>]: 'cursor' extends keyof QueryOf<Path> ? Path : never
}[PathOf<'get'>]

/** The paths whose pages are lists of entries. */
export type ListPath = {
  [Path in PagedPath]: DataOf<Path, 'get'> extends { data: readonly unknown[] } ? Path : never
}[PagedPath]

export type PageOf<Path extends PagedPath> = DataOf<Path, 'get'>
export type EntryOf<Path extends ListPath> =
  DataOf<Path, 'get'> extends { data: readonly (infer Entry)[] } ? Entry : never
