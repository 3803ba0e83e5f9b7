/**
 * The face of the platform's published clients, `/api/v1/settings`: other names for the fields of our own operations.
 * Translation is pure data. Handlers do not know which face was called.
 */
import type * as z from 'zod'
import { nameField } from '../fields.ts'
import { lazy } from '../lazy.ts'
import { type InputFault, invalidInput, type ProblemCode, type ProblemError, type PublishedCode } from '../problem.ts'
import type { Answer } from './answer.ts'
import type { Exchange } from './exchange.ts'
import { type Method, type Operation, routeKeyOf } from './operation.ts'

/** Further input of a translated answer, besides its body. */
export interface AnswerContext {
  orgId: string
  /** Secrets that only this answer shows. A replay has none. */
  once: Readonly<Record<string, string>>
  /** The resource already had the requested state. */
  unchanged: boolean
}

export interface InputContext {
  orgId: string
  query: Readonly<Record<string, string>>
  now: Date
}

/** How one operation is translated. Built on first use. */
export interface Wire<Translated = unknown> {
  /** Query parameters besides `org_id`. Default: those of our own face, without `limit`. */
  query?: z.ZodObject
  /** The published record of the request. Unknown fields are refused. */
  body?: z.ZodType
  /** The request in our names. The operation's own schema validates it next. */
  toInput?(body: never, context: InputContext): object
  /** Replaces the operation's own schema, if the published record lacks a field that ours requires. */
  input?: z.ZodType
  /** The published name of each of our fields, for the paths of faults. */
  names?: Readonly<Record<string, string>>
  /** Rewords a fault whose fix does not exist in the published record. Uses our names. */
  toFault?(fault: InputFault): InputFault
  /** Entries per page. Default: 100. */
  pageSize?: number
  /** The published record of an answer, or of one entry of a list. */
  toAnswer?(body: never, context: AnswerContext): Translated
}

/** One published operation that a function serves beside our own. */
export interface Published {
  /** The platform's id of the operation. */
  id: string
  /** Default: the path of our own face under `/api/v1`. */
  route?: `${Method} /api/v1/${string}`
  /** Records of the published contract; a list answers an array of them. */
  records: { request?: string; answer?: string; list?: string }
  /** The code of a resource that does not exist. */
  notFound?: PublishedCode
  /** Whether the published face has the GET that `Location` of a create names. */
  located?: boolean
  wire?: () => Wire
}

/** Declares a translation. The compiler checks both directions against their records. */
export const wire = <Body extends z.ZodType, Ours, Translated>(
  definition: Omit<Wire, 'body' | 'toInput' | 'toAnswer'> & {
    body?: Body
    toInput?(body: z.output<Body>, context: InputContext): object
    toAnswer?(body: Ours, context: AnswerContext): Translated
  },
): Wire<Translated> => definition

/** Names have up to 255 characters in the published contract, 100 in ours. */
export const publishedName = () => nameField(255)

/** A field that published clients may send as null instead of leaving it out. */
export const optional = <T extends z.ZodType>(schema: T) => schema.nullish()

/** The members with a value. Here null means the same as absent. */
export const named = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))

interface Verdict {
  success: boolean
  error: string | null
  latency_ms: number
}

/** The verdict on a connection or on a local target that was tested. */
export const testVerdict = lazy(() =>
  wire({ toAnswer: ({ success, error, latency_ms }: Verdict) => ({ success, error, latency_ms }) }),
)

/** The published operation behind a route of the function; undefined for our own route. */
export const publishedAt = ({ routes }: Operation, routeKey: string | undefined): Published | undefined =>
  routes.find((route) => route.published && routeKeyOf(route) === routeKey)?.published

const publishedPath = /^\/api\/v1\/(?:settings|api-keys)(?:\/|$)/

/** Whether the caller reads errors of the published contract. */
export const speaksPublished = ({ published, path }: Exchange, operation: Operation): boolean =>
  (published !== undefined || operation.route === '$default') && publishedPath.test(path)

/** The answer in published records. */
export function toPublishedAnswer(answer: Answer, exchange: Exchange, published: Published): Answer {
  const { status, body, once = {}, unchanged = false, headers: { location, ...headers } = {} } = answer
  const orgId = exchange.caller?.orgId ?? ''
  const translate = published.wire?.().toAnswer ?? ((same: unknown) => same)
  const context = { orgId, once, unchanged }
  const located = location !== undefined && published.located
  const kept = { ...headers, ...(located ? { location: location.replace('/api/v2/', '/api/v1/') } : {}) }
  if (body === undefined) return { status, headers: kept }
  if (!published.records.list) return { status, headers: kept, body: translate(body as never, context) }
  const { data, next_cursor } = body as { data: readonly never[]; next_cursor: string | null }
  const link = next_cursor === null ? {} : { link: `<${nextPage(exchange, next_cursor)}>; rel="next"` }
  return { status, headers: { ...kept, ...link }, body: data.map((entry) => translate(entry, context)) }
}

const nextPage = ({ path, query }: Exchange, cursor: string): string =>
  `${path}?${new URLSearchParams({ ...query, cursor })}`

const codes: Record<ProblemCode, string> = {
  invalid_input: 'invalid_input',
  authentication_failed: 'authentication_failed',
  invalid_api_key: 'invalid_api_key',
  token_expired: 'token_expired',
  plan_limit_reached: 'plan_limit_exceeded',
  forbidden: 'forbidden',
  not_found: 'resource_not_found',
  method_not_allowed: 'invalid_input',
  conflict: 'conflict',
  idempotency_in_progress: 'conflict',
  precondition_failed: 'conflict',
  payload_too_large: 'payload_too_large',
  unsupported_media_type: 'invalid_input',
  idempotency_mismatch: 'conflict',
  rate_limited: 'rate_limited',
  server_error: 'server_error',
  upstream_error: 'upstream_provider_error',
  service_unavailable: 'upstream_provider_unavailable',
  request_timeout: 'request_timeout',
}

/** The error envelope of the published contract. */
export function publishedError(problem: ProblemError, requestId: string, published: Published | undefined) {
  const { code, details, message } = problem
  const finer = details.published ?? (code === 'not_found' ? published?.notFound : undefined)
  const errors = details.errors && renamed(details.errors, published?.wire?.() ?? {})
  return {
    error: {
      code: finer ?? codes[code],
      message: errors && code === 'invalid_input' ? invalidInput(errors).message : message,
      ...(errors ? { details: { errors } } : {}),
      request_id: requestId,
    },
  }
}

/** Faults with the published names of their fields. In texts, only names with `_` are replaced: they are no English words. */
const renamed = (faults: readonly InputFault[], { names = {}, toFault = (fault) => fault }: Wire): InputFault[] =>
  faults.map(toFault).map((fault) => {
    const { path, code, message } = fault
    // An unknown field has the caller's own name, so it needs no translation.
    if (code === 'unknown_field') return fault
    const [first = '', second = '', ...rest] = path.split('.')
    const inside = names[`${first}.${second}`]
    return {
      path: [...(inside ? [inside] : [names[first] ?? first, second]), ...rest].filter((part) => part !== '').join('.'),
      code,
      message: message.replace(/\b[a-z]+(?:_[a-z]+)+\b/g, (word) => names[word] ?? word),
    }
  })
