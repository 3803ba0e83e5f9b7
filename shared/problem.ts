/** Errors as RFC 9457 problems, from a closed registry. A new code changes the API's contract. */

type Category = 'request' | 'authentication' | 'permission' | 'billing' | 'state' | 'rate_limit' | 'server' | 'upstream'

interface ProblemKind {
  status: number
  title: string
  retryable: boolean
  category: Category
}

const kind = (status: number, title: string, category: Category, retryable = false): ProblemKind => ({
  status,
  title,
  retryable,
  category,
})

export const problemKinds = {
  invalid_input: kind(400, 'Invalid input', 'request'),
  authentication_failed: kind(401, 'Authentication failed', 'authentication'),
  invalid_api_key: kind(401, 'Invalid API key', 'authentication'),
  token_expired: kind(401, 'Token expired', 'authentication'),
  plan_limit_reached: kind(402, 'Plan limit reached', 'billing'),
  forbidden: kind(403, 'Forbidden', 'permission'),
  not_found: kind(404, 'Resource not found', 'state'),
  method_not_allowed: kind(405, 'Method not allowed', 'request'),
  conflict: kind(409, 'Conflict', 'state'),
  idempotency_in_progress: kind(409, 'Request in progress', 'state', true),
  precondition_failed: kind(412, 'Precondition failed', 'state'),
  payload_too_large: kind(413, 'Payload too large', 'request'),
  unsupported_media_type: kind(415, 'Unsupported media type', 'request'),
  idempotency_mismatch: kind(422, 'Idempotency key reused', 'request'),
  rate_limited: kind(429, 'Rate limit exceeded', 'rate_limit', true),
  server_error: kind(500, 'Server error', 'server', true),
  upstream_error: kind(502, 'Upstream error', 'upstream', true),
  service_unavailable: kind(503, 'Service unavailable', 'server', true),
  request_timeout: kind(504, 'Request timed out', 'server', true),
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof problemKinds

/** One fault of the input. `path` is dotted (`limits.max_devices.limit`), array positions are numbers, '' is the whole. */
export interface InputFault {
  path: string
  code: string
  message: string
}

/** Codes of the published API that are more specific than ours. */
export type PublishedCode =
  | 'api_key_already_revoked'
  | 'api_key_not_found'
  | 'billing_customer_not_found'
  | 'checkout_not_complete'
  | 'connection_not_found'
  | 'credential_not_found'
  | 'insufficient_scope'
  | 'integration_not_found'
  | 'last_auth_method'
  | 'local_runtime_not_found'

interface ProblemDetails {
  errors?: readonly InputFault[]
  /** Headers of the answer, e.g. `Retry-After` in seconds. */
  headers?: Readonly<Record<string, string>>
  /** Overrides the registry's flag for this case. */
  retryable?: boolean
  /** The more specific code of the published API, where there is one. */
  published?: PublishedCode
  cause?: unknown
}

/** The error that all layers throw on purpose. Any other error is answered as `server_error`. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly code: ProblemCode
  readonly details: ProblemDetails

  constructor(code: ProblemCode, detail: string, details: ProblemDetails = {}) {
    super(detail, { cause: details.cause })
    this.code = code
    this.details = details
  }

  get status(): number {
    return problemKinds[this.code].status
  }
}

/** Whether the same request may succeed later. */
export const isRetryable = ({ code, details }: ProblemError): boolean =>
  details.retryable ?? problemKinds[code].retryable

/** `invalid_input` for faults that each name a field and the fix. */
export function invalidInput(errors: readonly InputFault[]): ProblemError {
  const [first] = errors
  const where = first?.path ? `${first.path}: ` : ''
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more in errors)` : ''
  return new ProblemError('invalid_input', `${where}${first?.message ?? 'the request is invalid'}${more}`, { errors })
}

export const invalidCursor = (): ProblemError =>
  invalidInput([
    {
      path: 'cursor',
      code: 'invalid_cursor',
      message: 'is malformed or from a list with other filters; start again without it',
    },
  ])

/** The same message for a missing resource and for one of another org. */
export const notFound = (): ProblemError =>
  new ProblemError('not_found', 'No such resource exists in this organization.')

/** The body of a problem answer. `instance` is the request's path, `type` the section of the reference that explains the code. */
export function problemBody(problem: ProblemError, requestId: string, instance: string) {
  const { status, title, category } = problemKinds[problem.code]
  return {
    type: `/api/v1/docs#v2/description/${problem.code}`,
    title,
    status,
    detail: problem.message,
    instance,
    code: problem.code,
    message: problem.message,
    request_id: requestId,
    retryable: isRetryable(problem),
    category,
    ...(problem.details.errors ? { errors: problem.details.errors } : {}),
  }
}

export const requestTimeout = (): ProblemError =>
  new ProblemError('request_timeout', 'The request took too long. It may still take effect.')
