/** An example of each problem, for the reference. */
import { type InputFault, type ProblemCode, ProblemError, problemBody } from '../shared/problem.ts'

interface Case {
  detail: string
  errors?: readonly InputFault[]
}

const cases: Record<ProblemCode, Case> = {
  invalid_input: {
    detail: 'name: is required (and 1 more in errors)',
    errors: [
      { path: 'name', code: 'missing_field', message: 'is required' },
      {
        path: 'nmae',
        code: 'unknown_field',
        message: 'is not a field of this request; check the spelling or leave it out',
      },
    ],
  },
  authentication_failed: {
    detail: 'A credential is needed: Authorization: Bearer <API key or JWT>, or X-API-Key: <API key>.',
  },
  invalid_api_key: { detail: 'The API key has been revoked.' },
  token_expired: { detail: 'The API key has expired.' },
  plan_limit_reached: {
    detail: 'limits.max_devices.limit exceeds the limit of 25 of the plan free; the plan team allows it',
    errors: [
      {
        path: 'limits.max_devices.limit',
        code: 'plan_limit',
        message: 'exceeds the limit of 25 of the plan free; the plan team allows it',
      },
    ],
  },
  forbidden: { detail: 'This operation needs the scope keys:write, which the credential does not hold.' },
  not_found: { detail: 'No such resource exists in this organization.' },
  method_not_allowed: { detail: 'DELETE is not allowed here; this path takes GET, POST.' },
  conflict: { detail: 'The state of the resource does not allow this operation.' },
  idempotency_in_progress: { detail: 'The first request with this Idempotency-Key is still running.' },
  precondition_failed: {
    detail: 'The resource has changed since it was read: If-Match names another ETag. Read it again.',
  },
  payload_too_large: { detail: 'The body is larger than 256 KiB.' },
  unsupported_media_type: { detail: 'The body must be JSON, sent as Content-Type: application/json.' },
  idempotency_mismatch: {
    detail: 'This Idempotency-Key was used for another request in the last 24 hours; use a new one.',
  },
  rate_limited: { detail: 'More than 100 requests in this minute; try again in 21 seconds.' },
  server_error: { detail: 'An unexpected error occurred. Include the request id when you report it.' },
  upstream_error: { detail: 'The provider failed.' },
  service_unavailable: { detail: 'A dependency of the service does not respond. Retry later.' },
  request_timeout: { detail: 'The request took too long. It may still take effect.' },
}

/** The body of a problem of each code, as it answers a request for the list of API keys. */
export const problemExamples = Object.fromEntries(
  Object.entries(cases).map(([code, { detail, ...details }]) => {
    // The keys of `cases` are the codes.
    const problem = new ProblemError(code as ProblemCode, detail, details)
    return [code, problemBody(problem, '01JD3V7K3Q9X5M2N8R4T6W0Y1Z', '/api/v2/settings/api-keys')]
  }),
)
