/**
 * CloudFront in front of the API, in stages with the option `front`. Requests must come through it, so that its WAF sees
 * all of them: it adds a secret that only it and the functions know, and the address of the client.
 */
import { timingSafeEqual } from 'node:crypto'
import { ProblemError } from '../problem.ts'
import { environment } from '../runtime/environment.ts'
import type { Exchange } from './exchange.ts'

export const frontHeaders = { secret: 'x-octomil-front', clientAddress: 'x-octomil-client-address' } as const

/**
 * Refuses a request that went around the front, and takes the address of the client from the front.
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
  if (!isSame(given, secret))
    throw new ProblemError('forbidden', 'This address of the API is closed. Call its public address.')
  exchange.headers = headers
  exchange.ip = clientAddress
}

function isSame(given: string, secret: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(secret)]
  return a.length === b.length && timingSafeEqual(a, b)
}
