/**
 * API Gateway's HTTP API on one machine: the same routes from the same operation list, payload 2.0 events as it makes
 * them, its limits, its answer when a function fails.
 */
import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { ulid } from 'ulid'
import { catchAll, routeList } from '../functions/operations.ts'
import { matchPath } from '../shared/http/route.ts'

type LambdaHandler = (event: unknown, context: unknown) => Promise<APIGatewayProxyStructuredResultV2>

interface Route {
  method: string
  path: string
  name: string
}

const bodyLimitBytes = 10 * 1024 * 1024
const functionTimeoutMs = 29_000
const apiId = 'local'

/** Handles requests as API Gateway and Lambda together would. */
export function createGateway() {
  // Routes without parameters are preferred, as API Gateway prefers the more specific.
  const routes = routeList
    .map(({ name, route: { method, path } }) => ({ name, method, path }))
    .sort((a, b) => Number(a.path.includes('{')) - Number(b.path.includes('{')))
  const functions = new Map<string, Promise<LambdaHandler>>()
  const load = (name: string): Promise<LambdaHandler> => {
    const loaded =
      functions.get(name) ??
      import(/* @vite-ignore */ new URL(`../functions/${name}.ts`, import.meta.url).href).then(
        (module) => module.handler,
      )
    functions.set(name, loaded)
    return loaded
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const target = `http://gateway.invalid${request.url ?? '/'}`
    if (!request.url?.startsWith('/') || !URL.canParse(target)) {
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"message":"Bad Request"}')
      return
    }
    const url = new URL(target)
    const body = await readBody(request)
    if (!body) {
      response.writeHead(413, { 'content-type': 'application/json' }).end('{"message":"Request Entity Too Large"}')
      return
    }
    const { name, routeKey, pathParameters } = findRoute(routes, request.method ?? 'GET', url.pathname)
    const event = toEvent(request, url, body, routeKey, pathParameters)
    const result = await invoke(await load(name), event)
    send(response, result)
  }
}

function findRoute(routes: readonly Route[], method: string, path: string) {
  for (const route of routes) {
    const pathParameters = route.method === method ? matchPath(route.path, path) : undefined
    if (pathParameters) return { name: route.name, routeKey: `${route.method} ${route.path}`, pathParameters }
  }
  return { name: catchAll.name, routeKey: '$default', pathParameters: {} }
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size <= bodyLimitBytes) chunks.push(chunk as Buffer)
  }
  return size > bodyLimitBytes ? undefined : Buffer.concat(chunks)
}

/** HTTP APIs pass these media types as text, and all others in base64. */
const textTypes = /^(?:text\/|application\/(?:json|javascript|xml)\b)/i

function toEvent(
  request: IncomingMessage,
  url: URL,
  body: Buffer,
  routeKey: string,
  pathParameters: Record<string, string>,
): APIGatewayProxyEventV2 {
  const { cookie, ...distinct } = request.headersDistinct
  const headers = Object.fromEntries(Object.entries(distinct).map(([name, values]) => [name, (values ?? []).join(',')]))
  const query = [...new Set(url.searchParams.keys())].map((name) => [name, url.searchParams.getAll(name).join(',')])
  // Bytes that are no text stay bytes, so that the function sees them.
  const isBase64Encoded = body.length > 0 && !(textTypes.test(headers['content-type'] ?? '') && isUtf8(body))
  const now = new Date()
  return {
    version: '2.0',
    routeKey,
    rawPath: decodedPath(url.pathname),
    rawQueryString: url.search.slice(1),
    ...(cookie ? { cookies: cookie.flatMap((line) => line.split('; ')) } : {}),
    headers,
    ...(query.length > 0 ? { queryStringParameters: Object.fromEntries(query) } : {}),
    ...(Object.keys(pathParameters).length > 0 ? { pathParameters } : {}),
    requestContext: {
      accountId: '000000000000',
      apiId,
      domainName: request.headers.host ?? 'localhost',
      domainPrefix: apiId,
      http: {
        method: request.method ?? 'GET',
        path: decodedPath(url.pathname),
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: ulid(),
      routeKey,
      stage: '$default',
      time: now.toUTCString(),
      timeEpoch: now.getTime(),
    },
    ...(body.length > 0 ? { body: body.toString(isBase64Encoded ? 'base64' : 'utf8') } : {}),
    isBase64Encoded,
  }
}

function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

async function invoke(
  handler: LambdaHandler,
  event: APIGatewayProxyEventV2,
): Promise<APIGatewayProxyStructuredResultV2> {
  const end = Date.now() + functionTimeoutMs
  const context = { awsRequestId: event.requestContext.requestId, getRemainingTimeInMillis: () => end - Date.now() }
  try {
    return await handler(event, context)
  } catch (error) {
    console.error(error)
    return {
      statusCode: 500,
      headers: { 'content-type': 'application/json' },
      body: '{"message":"Internal Server Error"}',
    }
  }
}

function send(response: ServerResponse, result: APIGatewayProxyStructuredResultV2): void {
  const { statusCode = 200, headers = {}, body = '', isBase64Encoded } = result
  const content = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8')
  const sent = Object.entries(headers).map(([name, value]) => [name, String(value)])
  // The length of a HEAD would be that of the GET, which is not known here.
  const hasLength = statusCode !== 204 && statusCode !== 304 && response.req.method !== 'HEAD'
  response.writeHead(statusCode, {
    ...Object.fromEntries(sent),
    ...(hasLength ? { 'content-length': content.length } : {}),
  })
  response.end(content)
}
