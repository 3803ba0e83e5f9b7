/**
 * Which pages a browser lets read an answer. Credentials are headers that a page must have itself, and never cookies, so an
 * open answer gives a page nothing that its own server could not ask for. A publishable key lies open in pages of any origin:
 * what it may call is open to all, and the key's own list judges. All else is for the dashboards that the stage names.
 */
import { keyTypeScopes } from '../auth/scopes.ts'
import { environmentList } from '../runtime/environment.ts'
import type { Answer } from './answer.ts'
import type { Operation, Route } from './operation.ts'

type Headers = Readonly<Record<string, string>>

const allowMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].join(',')
const allowHeaders = [
  ...['authorization', 'content-type', 'idempotency-key', 'if-match', 'if-none-match', 'x-api-key'],
  // W3C Trace Context and Baggage, which tracing agents of browsers add to every request.
  ...['baggage', 'traceparent', 'tracestate'],
].join(',')
const exposeHeaders = [
  ...['age', 'allow', 'etag', 'idempotency-replayed', 'link', 'location'],
  ...['ratelimit', 'ratelimit-policy', 'retry-after'],
  ...['www-authenticate', 'x-amzn-remapped-www-authenticate', 'x-request-id'],
].join(',')
const maxAgeSeconds = 3600

/** Whether a request asks what a page of its origin may do. */
export const isPreflight = (method: string, headers: Headers): boolean =>
  method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined

/** The headers that let a page read the answer of an operation. */
export const readableBy = (operation: Operation, origin: string | undefined): Record<string, string> =>
  allowing(isOpen(operation), origin, { 'access-control-expose-headers': exposeHeaders })

/** The answer to a preflight, of the routes at its path. A method that none of them has is a 405 that any page may read. */
export function preflightAnswer(
  routes: readonly { operation: Operation; route: Pick<Route, 'method'> }[],
  headers: Headers,
): Answer {
  const wanted = headers['access-control-request-method'] ?? ''
  const meant = routes.filter(({ route }) => route.method === wanted).map(({ operation }) => operation)
  return {
    status: 204,
    headers: allowing(meant.length === 0 || meant.some(isOpen), headers.origin, {
      'access-control-allow-methods': allowMethods,
      'access-control-allow-headers': allowHeaders,
      'access-control-max-age': String(maxAgeSeconds),
    }),
  }
}

function isOpen({ scope }: Operation): boolean {
  const open: readonly string[] = ['public', 'any', ...keyTypeScopes.publishable]
  return open.includes(scope)
}

function allowing(open: boolean, origin: string | undefined, more: Headers): Record<string, string> {
  if (open) return { 'access-control-allow-origin': '*', ...more }
  const isDashboard = origin !== undefined && environmentList('dashboardOrigins').includes(origin)
  return { vary: 'origin', ...(isDashboard ? { 'access-control-allow-origin': origin, ...more } : {}) }
}
