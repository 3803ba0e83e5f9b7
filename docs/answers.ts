/** Problems that an operation can answer, and the answers that carry an `ETag`. */
import { operationList } from '../functions/operations.ts'
import { type Operation, takesIdempotencyKey } from '../shared/http/operation.ts'
import { type ProblemCode, problemKinds } from '../shared/problem.ts'

export const problemCodes = Object.keys(problemKinds) as ProblemCode[]

/** Every problem that an operation can answer. */
export function refusalsOf(operation: Operation): ProblemCode[] {
  const { scope, body, rawBody, refusals = [], query } = operation
  const codes = new Set<ProblemCode>(refusals)
  if (scope !== 'public') {
    for (const code of [
      'authentication_failed',
      'invalid_api_key',
      'token_expired',
      'forbidden',
      'rate_limited',
    ] as const) {
      codes.add(code)
    }
    codes.add('invalid_input').add('service_unavailable')
  }
  if (body) codes.add('invalid_input').add('payload_too_large').add('unsupported_media_type')
  if (rawBody) codes.add('invalid_input').add('payload_too_large')
  if (Object.keys(query.shape).length > 0) codes.add('invalid_input')
  if (takesIdempotencyKey(operation)) codes.add('idempotency_in_progress').add('idempotency_mismatch')
  // A service key can name an organization that does not exist.
  if (operation.orgMayBeAbsent) codes.add('not_found')
  if (takesIfMatch(operation)) codes.add('precondition_failed')
  codes.add('server_error').add('request_timeout')
  return problemCodes.filter((code) => codes.has(code))
}

/** Single resources that no operation of the same path changes. */
const versionedElsewhere: readonly string[] = [
  ...['meta.openapi', 'settings.api-keys.revoke', 'settings.api-keys.scopes', 'settings.who-am-i'],
  ...['settings.get-execution', 'settings.create-checkout-session', 'settings.billing.checkout.reconcile'],
  'settings.get-usage',
]

/** Whether an answer carries an `ETag`: created resources and single resources do. */
export const isVersioned = (operation: Operation, status: number): boolean =>
  status === 201 || ((status === 200 || status === 304) && isOneResource(operation))

const isOneResource = ({ id, path }: Operation): boolean =>
  versionedElsewhere.includes(id) || operationList.some(([, other]) => other.path === path && takesIfMatch(other))

export const takesIfMatch = ({ method }: Operation): boolean =>
  method === 'PUT' || method === 'PATCH' || method === 'DELETE'
