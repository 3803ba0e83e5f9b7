/** Invokes real handlers with gateway events, as API Gateway would. */
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { ulid } from 'ulid'
import { catchAll, type OperationName, operations } from '../../functions/operations.ts'
import type { Operation } from '../../shared/http/operation.ts'
import { withAccessOf } from './access.ts'
import { expectDocumented } from './documented.ts'

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

export function eventFor(operation: Operation, request: Request): Record<string, unknown> {
  const { token, params = {}, query, body, headers = {} } = request
  const path = Object.entries(params).reduce((text, [name, value]) => text.replace(`{${name}}`, value), operation.path)
  const content = request.rawBody ?? (body === undefined ? undefined : JSON.stringify(body))
  return {
    version: '2.0',
    routeKey: operation.route,
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
        method: request.method ?? operation.method,
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
  expectDocumented(operation, result.statusCode ?? 200, headers)
  const isJson = /json/.test(headers['content-type'] ?? '')
  return { status: result.statusCode ?? 200, headers, text, body: isJson && text !== '' ? JSON.parse(text) : undefined }
}

/** One request to one operation. */
export const invoke = (name: OperationName, request: Request = {}): Promise<Response> =>
  invokeEvent(name, eventFor(operations[name] as unknown as Operation, request))
