/** Errors of calls: an answer that is a problem, or no answer. */
import type { components } from './schema.ts'

type Problem = components['schemas']['Problem']

/** The codes of the API; `unexpected_answer` for any other answer, such as a proxy's or a captive portal's. */
export type ProblemCode = Problem['code'] | 'unexpected_answer'

/** One fault of the input, by dotted path: `limits.max_devices.limit`. */
export type InputFault = NonNullable<Problem['errors']>[number]

/** The service answered with a problem (RFC 9457). */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly code: ProblemCode
  readonly status: number
  readonly title: string
  /** Each fault of the input; empty for other problems. */
  readonly errors: readonly InputFault[]
  /** Request id of the service or the gateway. Include it when you contact support. */
  readonly requestId: string | undefined
  /** The value of `WWW-Authenticate`: how to authenticate (RFC 6750). */
  readonly challenge: string | undefined
  /** Whether the same request may succeed later. The client has used all its retries. */
  readonly retryable: boolean
  /** The requested wait, if the service sent one. */
  readonly retryAfterMs: number | undefined
  /**
   * Number of attempts. Above 1, an earlier attempt may have taken effect: then a DELETE gets 404, and a change with `If-Match`
   * gets 412.
   */
  readonly attempts: number

  constructor(fields: ProblemFields, attempts: number) {
    super(fields.detail)
    this.code = fields.code
    this.status = fields.status
    this.title = fields.title
    this.errors = fields.errors
    this.requestId = fields.requestId
    this.challenge = fields.challenge
    this.retryable = fields.retryable
    this.retryAfterMs = fields.retryAfterMs
    this.attempts = attempts
  }
}

/** No answer: the network failed, or an attempt timed out. The request may still have taken effect. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'
  readonly attempts: number

  constructor(cause: unknown, attempts: number) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(`No answer after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}: ${reason}`, { cause })
    this.attempts = attempts
  }
}

export interface ProblemFields {
  code: ProblemCode
  status: number
  title: string
  detail: string
  errors: readonly InputFault[]
  requestId: string | undefined
  challenge: string | undefined
  retryable: boolean
  retryAfterMs: number | undefined
}

/** Converts an answer to a problem, after reading its body. The status comes from the answer, not from the body. */
export function problemFieldsOf(response: Response, text: string, now: number): ProblemFields {
  const { status, headers } = response
  const common = {
    status,
    challenge: challengeOf(headers),
    retryAfterMs: retryAfterMsOf(headers.get('retry-after'), now),
  }
  const problem = parsedProblem(response, text)
  if (problem) {
    const { code, title, detail, errors = [], request_id, retryable } = problem
    return { ...common, code, title, detail, errors, requestId: request_id, retryable }
  }
  return {
    ...common,
    ...(gatewayProblem(status, text) ?? {
      code: 'unexpected_answer',
      title: 'Unexpected answer',
      detail: `The answer ${status} does not come from this API.`,
    }),
    errors: [],
    requestId: headers.get('x-request-id') ?? headers.get('apigw-requestid') ?? undefined,
    // The gateway's throttling and outages.
    retryable: status === 429 || status >= 500,
  }
}

/** API Gateway may rename the header of a function's answer. */
const challengeOf = (headers: Headers): string | undefined =>
  headers.get('www-authenticate') ?? headers.get('x-amzn-remapped-www-authenticate') ?? undefined

const gatewayCodes: Readonly<Record<number, ProblemCode>> = {
  413: 'payload_too_large',
  429: 'rate_limited',
  500: 'server_error',
  503: 'service_unavailable',
}

/** An answer of API Gateway, `{"message":"Too Many Requests"}`. Its media type is ignored: some 503 have none. */
function gatewayProblem(status: number, text: string): Pick<ProblemFields, 'code' | 'title' | 'detail'> | undefined {
  const code = gatewayCodes[status]
  const parsed = jsonOf(text)
  if (code === undefined || !hasMessage(parsed)) return undefined
  return {
    code,
    title: parsed.message,
    detail: `The gateway in front of the API answered ${status}: ${parsed.message}.`,
  }
}

const hasMessage = (value: unknown): value is { message: string } =>
  typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string'

function parsedProblem(response: Response, text: string): Problem | undefined {
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) return undefined
  const parsed = jsonOf(text)
  return isProblem(parsed) ? parsed : undefined
}

/** A gateway can send problems with the same media type. They have no code of this API. */
const isProblem = (value: unknown): value is Problem =>
  typeof value === 'object' && value !== null && 'code' in value && 'request_id' in value && 'retryable' in value

/** The text parsed as JSON; undefined if it is invalid. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `Retry-After` is seconds, or a date. */
function retryAfterMsOf(header: string | null, now: number): number | undefined {
  if (header === null) return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}
