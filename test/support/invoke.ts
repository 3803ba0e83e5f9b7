/** Invokes real handlers with gateway events, as API Gateway would. */
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { ulid } from 'ulid'
import { catchAll, type OperationName, operations } from '../../functions/operations.ts'
import { type Operation, type Route, routeKeyOf } from '../../shared/http/operation.ts'
import { publishedAt } from '../../shared/http/published.ts'
import { withAccessOf } from './access.ts'
import { expectDocumented } from './documented.ts'
import { expectPublished } from './published.ts'

export interface Request {
  /** API key or JWT, sent as a bearer token. */
  token?: string | undefined
  params?: Record<string, string>
  query?: Record<string, string>
  /** Sent as JSON. */
  body?: unknown
  /** Sent as it is, instead of `body`. */
  rawBody?: string
  headers?: Record<string, string>
  /** For the catch-all. */
  method?: string
  path?: string
  ip?: string
}

export interface Response {
  status: number
  headers: Record<string, string>
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever an answer holds
  body: any
}

type Handler = (event: unknown, context: unknown) => Promise<APIGatewayProxyStructuredResultV2>

export async function handlerOf(name: string): Promise<Handler> {
  const file = new URL(`../../functions/${name}.ts`, import.meta.url).pathname
  const module = (await import(/* @vite-ignore */ file)) as { handler: Handler }
  return module.handler
}

export function eventFor(
  operation: Operation,
  request: Request,
  route: Pick<Route, 'method' | 'path'> = operation,
): Record<string, unknown> {
  const { token, params = {}, query, body, headers = {} } = request
  const path = Object.entries(params).reduce((text, [name, value]) => text.replace(`{${name}}`, value), route.path)
  const content = request.rawBody ?? (body === undefined ? undefined : JSON.stringify(body))
  return {
    version: '2.0',
    routeKey: route === operation ? operation.route : routeKeyOf(route),
    rawPath: request.path ?? path,
    rawQueryString: '',
    headers: {
      ...(content === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      'user-agent': 'vitest',
      ...headers,
    },
    ...(query ? { queryStringParameters: query } : {}),
    pathParameters: params,
    requestContext: {
      requestId: ulid(),
      http: {
        method: request.method ?? route.method,
        path,
        sourceIp: request.ip ?? '127.0.0.1',
        userAgent: 'vitest',
      },
    },
    ...(content === undefined ? {} : { body: content }),
    isBase64Encoded: false,
  }
}

export async function invokeEvent(
  name: OperationName | typeof catchAll.name,
  event: unknown,
  context: unknown = {},
): Promise<Response> {
  const handler = await handlerOf(name)
  const operation = name === catchAll.name ? catchAll.operation : (operations[name] as unknown as Operation)
  const result = await withAccessOf(operation, () => handler(event, context))
  const text = result.body ?? ''
  const headers = Object.fromEntries(Object.entries(result.headers ?? {}).map(([key, value]) => [key, String(value)]))
  const status = result.statusCode ?? 200
  const isJson = /json/.test(headers['content-type'] ?? '')
  const body = isJson && text !== '' ? JSON.parse(text) : undefined
  const published = publishedAt(operation, (event as { routeKey?: string }).routeKey)
  if (published) expectPublished(published, status, body)
  else expectDocumented(operation, status, headers)
  return { status, headers, text, body }
}

/** One request to one operation. */
export const invoke = (name: OperationName, request: Request = {}): Promise<Response> =>
  invokeEvent(name, eventFor(operations[name] as unknown as Operation, request))

/** The published routes of an operation. */
export const publishedRoutes = (name: OperationName): readonly Route[] =>
  (operations[name] as unknown as Operation).routes.filter(({ published, method }) => published && method !== 'HEAD')

/** One request to the published face of an operation; `index` chooses among its routes. */
export function invokePublished(name: OperationName, request: Request = {}, index = 0): Promise<Response> {
  const route = publishedRoutes(name)[index]
  if (!route) throw new Error(`${name} has no published route ${index}`)
  return invokeEvent(name, eventFor(operations[name] as unknown as Operation, request, route))
}
