/**
 * CORS. Credentials are headers that the page must have itself, never cookies, so an open answer gives a page nothing that
 * its own server could not get. Pages of any origin use publishable keys: their operations are open to all origins, and the
 * key's own list of origins decides. All other operations are for the stage's dashboards only.
 */
import { keyTypeScopes } from '../auth/scopes.ts'
import { environmentList } from '../runtime/environment.ts'
import type { Answer } from './answer.ts'
import type { Operation, Route } from './operation.ts'

type Headers = Readonly<Record<string, string>>

const allowMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].join(',')
const allowHeaders = [
  ...['authorization', 'content-type', 'idempotency-key', 'if-match', 'if-none-match', 'x-api-key'],
  // W3C Trace Context and Baggage: tracing agents in browsers add them to every request.
  ...['baggage', 'traceparent', 'tracestate'],
].join(',')
const exposeHeaders = [
  ...['age', 'allow', 'etag', 'idempotency-replayed', 'link', 'location'],
  ...['ratelimit', 'ratelimit-policy', 'retry-after'],
  ...['www-authenticate', 'x-amzn-remapped-www-authenticate', 'x-request-id'],
].join(',')
const maxAgeSeconds = 3600

/** Whether a request is a CORS preflight. */
export const isPreflight = (method: string, headers: Headers): boolean =>
  method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined

/** The headers that let a page read the answer of an operation. */
export const readableBy = (operation: Operation, origin: string | undefined): Record<string, string> =>
  allowing(isOpen(operation), origin, { 'access-control-expose-headers': exposeHeaders })

/** The answer to a preflight for the routes at its path. Any page may read the 405 for a method that no route has. */
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
