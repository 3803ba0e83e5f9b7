/** The headers of answers, and which answer has which. */
import { type Operation, takesIdempotencyKey } from '../shared/http/operation.ts'
import { type ProblemCode, problemKinds } from '../shared/problem.ts'

type Header = {
  description: string
  schema: { type: 'string' | 'integer'; format?: 'uri-reference'; minimum?: 0 }
  example: string | number
}

const text = (description: string, example: string): Header => ({ description, schema: { type: 'string' }, example })
const seconds = (description: string, example: number): Header => ({
  description,
  schema: { type: 'integer', minimum: 0 },
  example,
})

export const headers = {
  'X-Request-Id': text(
    'Id of the request in the logs. Include it when you contact support.',
    '01JD3V7K3Q9X5M2N8R4T6W0Y1Z',
  ),
  'Cache-Control': text('`no-store`, except for responses that are the same for every caller.', 'no-store'),
  'RateLimit-Policy': text(
    'Maximum requests (`q`) of the credential per window of `w` seconds (draft-ietf-httpapi-ratelimit-headers).',
    '"default";q=600;w=60',
  ),
  RateLimit: text('Remaining requests (`r`) and seconds until the window ends (`t`).', '"default";r=599;t=42'),
  ETag: text(
    'Version of the resource, for `If-Match` (changes) and `If-None-Match` (reads).',
    '"vJ6yZ0o3bRZ0GgW9o2y1R4aXn8c"',
  ),
  Location: {
    description: 'URL of the new resource.',
    schema: { type: 'string', format: 'uri-reference' },
    example: '/api/v2/settings/api-keys/key_01jd3v7k3q9x5m2n8r4t6w0y11',
  },
  'Idempotency-Replayed': text('`true` if the response is a replay of an earlier one.', 'true'),
  Age: seconds('Seconds since the service read Stripe.', 12),
  'Retry-After': seconds('Seconds to wait before you retry.', 21),
  'WWW-Authenticate': text('How to authenticate (RFC 6750).', 'Bearer realm="octomil"'),
  'Accept-Encoding': text('Supported content encodings of a body.', 'identity'),
  Allow: text('Methods that the path supports.', 'GET, HEAD, POST'),
} as const satisfies Record<string, Header>

export type HeaderName = keyof typeof headers

/** Operations that answer from a cached copy of Stripe's data. */
const copies: readonly string[] = ['settings.list-invoices', 'settings.get-billing-support-context']

/** Headers that come with a status. */
const headersOfStatus: Readonly<Record<number, HeaderName>> = {
  201: 'Location',
  401: 'WWW-Authenticate',
  405: 'Allow',
  415: 'Accept-Encoding',
}

/** Headers of an answer with this status. `codes`: problems that the operation answers with this status. */
export function headersOf(
  operation: Operation,
  status: number,
  codes: readonly ProblemCode[],
  hasEtag: boolean,
): HeaderName[] {
  const names: HeaderName[] = ['X-Request-Id', 'Cache-Control']
  if (operation.scope !== 'public') names.push('RateLimit-Policy', 'RateLimit')
  if (hasEtag) names.push('ETag')
  const ofStatus = headersOfStatus[status]
  if (ofStatus) names.push(ofStatus)
  if (status < 300 && copies.includes(operation.id)) names.push('Age')
  if (takesIdempotencyKey(operation) && status !== 401) names.push('Idempotency-Replayed')
  if (codes.some((code) => problemKinds[code].retryable)) names.push('Retry-After')
  return names
}
