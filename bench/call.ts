/** Calls an operation through its real handler, as an organization's key. */
import type { OperationName } from '../functions/operations.ts'
import { invoke, type Request, type Response } from '../test/support/invoke.ts'
import type { BenchOrg } from './fixture.ts'

/**
 * Sends one request with the organization's key, or with the request's own token.
 *
 * @throws Error when a request with the organization's key is refused
 */
export async function callOperation(
  operation: OperationName,
  { rawKey }: BenchOrg,
  request: Request,
): Promise<Response> {
  const response = await invoke(operation, { token: rawKey, ...request })
  if (response.status >= 400 && request.token === undefined)
    throw new Error(`${operation} answered ${response.status}: ${response.text}`)
  return response
}
