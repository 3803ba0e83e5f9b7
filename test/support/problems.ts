/** What every problem answer must be, spelled from the contract and not from the code. */
import { expect } from 'vitest'
import { ProblemError } from '../../client/src/index.ts'
import type { Response } from './invoke.ts'
import { memberOf } from './readable.ts'

const statuses = {
  invalid_input: 400,
  authentication_failed: 401,
  invalid_api_key: 401,
  token_expired: 401,
  plan_limit_reached: 402,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  idempotency_in_progress: 409,
  precondition_failed: 412,
  payload_too_large: 413,
  unsupported_media_type: 415,
  idempotency_mismatch: 422,
  rate_limited: 429,
  server_error: 500,
  upstream_error: 502,
  service_unavailable: 503,
  request_timeout: 504,
} as const

export type Code = keyof typeof statuses

/** The problem that a call of the client fails with, which is to be the one with this code. */
export async function problemOf(call: Promise<unknown>, code: Code): Promise<ProblemError> {
  const outcome = await call.catch((error: unknown) => error)
  if (!(outcome instanceof ProblemError)) throw new Error(`the call did not fail with ${code}`, { cause: outcome })
  expect(outcome).toMatchObject({ code, status: statuses[code], message: expect.any(String) })
  return outcome
}

const members = [
  'type',
  'title',
  'status',
  'detail',
  'instance',
  'code',
  'message',
  'request_id',
  'retryable',
  'category',
]

/** Asserts that the answer is the problem with this code, well formed in every member. */
export function expectProblem(response: Response, code: Code): void {
  const { status, headers, body } = response
  expect({ status, code: body?.code, detail: body?.detail }).toEqual({
    status: statuses[code],
    code,
    detail: expect.any(String),
  })
  expectWellFormedProblem(response)
  expect(headers['www-authenticate'] !== undefined).toBe(status === 401)
}

/** Asserts that the answer is a problem, whichever. */
export function expectWellFormedProblem({ status, headers, body }: Response): void {
  expect(headers['content-type']).toBe('application/problem+json')
  const { errors, ...rest } = body
  expect(Object.keys(rest).sort()).toEqual([...members].sort())
  expect(status).toBe(statuses[body.code as Code])
  expect(body.status).toBe(status)
  for (const name of ['type', 'title', 'detail', 'instance', 'category']) {
    expect(memberOf(body, name), name).toEqual(expect.any(String))
    expect(memberOf(body, name), name).not.toBe('')
  }
  expect(body.detail).not.toBe('Not Found')
  expect(body.message).toBe(body.detail)
  expect(body.request_id).toBe(headers['x-request-id'])
  expect(body.retryable).toEqual(expect.any(Boolean))
  if (errors === undefined) return
  expect(errors.length).toBeGreaterThan(0)
  for (const fault of errors) {
    expect(fault).toEqual({ path: expect.any(String), code: expect.any(String), message: expect.any(String) })
    expect(fault.message).not.toBe('')
  }
}

/** The fields that an `invalid_input` names, each once. */
export const faultPaths = ({ body }: Response): string[] => [
  ...new Set<string>((body.errors ?? []).map(({ path }: { path: string }) => path)),
]

/** A problem without the members that differ per request. */
export const bareProblem = ({ body }: Response): Record<string, unknown> => {
  const { request_id: _request, instance: _instance, ...rest } = body
  return rest
}
