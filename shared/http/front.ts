/**
 * CloudFront in front of the API, in stages with the option `front`. It adds the client's address, and a secret that only it
 * and the functions know. With `close_api_address`, every request must pass CloudFront and so its WAF.
 */
import { timingSafeEqual } from 'node:crypto'
import { ProblemError } from '../problem.ts'
import { environment } from '../runtime/environment.ts'
import type { Exchange } from './exchange.ts'

export const frontHeaders = { secret: 'x-octomil-front', clientAddress: 'x-octomil-client-address' } as const

/**
 * Takes the client's address from CloudFront. Refuses a request that bypassed CloudFront, in stages that require it.
 *
 * @throws ProblemError `forbidden`
 */
export function requireFront(exchange: Exchange): void {
  const secret = environment('frontSecret')
  if (secret === undefined) return
  const {
    [frontHeaders.secret]: given = '',
    [frontHeaders.clientAddress]: clientAddress,
    ...headers
  } = exchange.headers
  exchange.headers = headers
  if (isSame(given, secret)) exchange.ip = clientAddress
  else if (environment('frontOnly') === 'on')
    throw new ProblemError('forbidden', 'This address of the API is closed. Call its public address.')
}

function isSame(given: string, secret: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(secret)]
  return a.length === b.length && timingSafeEqual(a, b)
}
