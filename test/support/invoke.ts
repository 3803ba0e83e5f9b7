/** Invokes real handlers with gateway events, as API Gateway would. */
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { ulid } from 'ulid'
import { catchAll, type OperationName, operations } from '../../functions/operations.ts'
import { type AnswerOf, type Operation, type Route, routeKeyOf } from '../../shared/http/operation.ts'
import { publishedAt, type publishedError, type Wire } from '../../shared/http/published.ts'
import type { problemBody } from '../../shared/problem.ts'
import { withAccessOf } from './access.ts'
import { expectDocumented } from './documented.ts'
import { expectPublished } from './published.ts'
import type { Readable } from './readable.ts'

export interface Request {
  /** API key or JWT, sent as a bearer token. */
  token?: string | undefined
  params?: Record<string, string>
  query?: Record<string, string>
  /** Sent as JSON. */
  body?: unknown
  /** Sent unchanged, instead of `body`. */
  rawBody?: string
  headers?: Record<string, string>
  /** For the catch-all. */
  method?: string
  path?: string
  ip?: string
}

/** A response whose body can be a problem. `Body` adds the members of the successes. */
export interface Response<Body = Readable<Problem>> {
  status: number
  headers: Record<string, string>
  text: string
  body: Body
}

type FunctionName = OperationName | typeof catchAll.name
type Problem = ReturnType<typeof problemBody>

/** The body of any response of one operation: its successes and its problems. */
export type BodyOf<Name extends FunctionName> = Readable<Problem | SuccessOf<Name>>

/** Of a name that can be any operation's: the members that tests read whichever it is. */
interface AnySuccess {
  id: string
  api_key: string
  next_cursor: string
  updated_at: string
}
type SuccessOf<Name extends FunctionName> = OperationName extends Name ? AnySuccess : DeclaredBody<Name>
type DeclaredBody<Name> = Name extends OperationName
  ? Exclude<AnswerOf<(typeof operations)[Name]>['body'], undefined>
  : never

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

/** One event to one function. */
export const invokeEvent = <Name extends FunctionName>(
  name: Name,
  event: unknown,
  context: unknown = {},
): Promise<Response<BodyOf<Name>>> => answerTo(name, event, context)

/** The type of the body is the caller's claim. The documents and the assertions of a test check it. */
async function answerTo<Body>(name: FunctionName, event: unknown, context: unknown = {}): Promise<Response<Body>> {
  const handler = await handlerOf(name)
  const operation = name === catchAll.name ? catchAll.operation : (operations[name] as unknown as Operation)
  const result = await withAccessOf(operation, () => handler(event, context))
  const text = result.body ?? ''
  const headers = Object.fromEntries(Object.entries(result.headers ?? {}).map(([key, value]) => [key, String(value)]))
  const status = result.statusCode ?? 200
  const isJson = /[/+]json/.test(headers['content-type'] ?? '')
  const body = isJson && text !== '' ? JSON.parse(text) : undefined
  const published = publishedAt(operation, (event as { routeKey?: string }).routeKey)
  if (published) expectPublished(published, status, body)
  else expectDocumented(operation, status, headers)
  return { status, headers, text, body }
}

/** One request to one operation. */
export const invoke = <Name extends OperationName>(
  name: Name,
  request: Request = {},
): Promise<Response<BodyOf<Name>>> => answerTo(name, eventFor(operations[name] as unknown as Operation, request))

/** The published routes of an operation. */
export const publishedRoutes = (name: OperationName): readonly Route[] =>
  (operations[name] as unknown as Operation).routes.filter(({ published, method }) => published && method !== 'HEAD')

/** The body of any response of one operation on its published face. */
export type PublishedBodyOf<Name extends OperationName> = Readable<ReturnType<typeof publishedError>> &
  (OperationName extends Name
    ? unknown
    : [PublishedSuccess<Name>] extends [never]
      ? unknown
      : Readable<PublishedSuccess<Name>>)

type PublishedSuccess<Name> = Name extends OperationName
  ? TranslatedBy<NonNullable<(typeof operations)[Name]['published']>[number], DeclaredBody<Name>>
  : never
/** A list is published as an array; an operation without a translation is published with our body. */
type TranslatedBy<Entry, Ours> = Entry extends { records: { list: string } }
  ? readonly TranslationOf<Entry>[]
  : Entry extends unknown
    ? unknown extends TranslationOf<Entry>
      ? Ours
      : TranslationOf<Entry>
    : never
type TranslationOf<Entry> = Entry extends { wire: () => Wire<infer Translated> } ? Translated : unknown

/** One request to the published face of an operation; `index` chooses among its routes. */
export function invokePublished<Name extends OperationName>(
  name: Name,
  request: Request = {},
  index = 0,
): Promise<Response<PublishedBodyOf<Name>>> {
  const route = publishedRoutes(name)[index]
  if (!route) throw new Error(`${name} has no published route ${index}`)
  return answerTo(name, eventFor(operations[name] as unknown as Operation, request, route))
}
