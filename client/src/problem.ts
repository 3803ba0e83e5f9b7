/** What a call can fail with: an answer that is a problem, or no answer at all. */
import type { components } from './schema.ts'

type Problem = components['schemas']['Problem']

/** The codes of the API; `unexpected_answer` for any other answer: of a proxy, or of a network's own page. */
export type ProblemCode = Problem['code'] | 'unexpected_answer'

/** One fault of the input, by dotted path: `limits.max_devices.limit`. */
export type InputFault = NonNullable<Problem['errors']>[number]

/** The service answered, and the answer is a problem (RFC 9457). */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly code: ProblemCode
  readonly status: number
  readonly title: string
  /** Each fault of the input; empty when the input is not what is wrong. */
  readonly errors: readonly InputFault[]
  /** The service's or the gateway's id of the request; name it when you ask for help. */
  readonly requestId: string | undefined
  /** The value of `WWW-Authenticate`: how to authenticate (RFC 6750). */
  readonly challenge: string | undefined
  /** Whether the same request may succeed later. It was repeated as often as the rules allow. */
  readonly retryable: boolean
  /** How long the service asked to wait, if it did. */
  readonly retryAfterMs: number | undefined
  /**
   * How often the request was sent. Above 1, an earlier one may have taken effect: a DELETE is then told that there is
   * nothing left (404), a change with `If-Match` that its version is gone (412).
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

/** No answer came: the network failed, or the time of an attempt was up. The request may still have taken effect. */
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

/** The problem that an answer is, its body read already. The status is the answer's own; what the body says of it is a copy. */
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
      detail: `The answer ${status} is none of this API's.`,
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

/** An answer of API Gateway's own, `{"message":"Too Many Requests"}`. Its media type is not relied upon: a 503 has come without. */
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

/** A gateway has problems of its own to tell, by the same media type; those have no code that a caller could know. */
const isProblem = (value: unknown): value is Problem =>
  typeof value === 'object' && value !== null && 'code' in value && 'request_id' in value && 'retryable' in value

/** What a text is as JSON; undefined when it is none. */
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
