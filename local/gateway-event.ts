/** Events as an HTTP API sends them to Lambda, payload format 2.0. */
import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { isHopByHop } from './hop-by-hop.ts'

export interface MatchedRoute {
  routeKey: string
  pathParameters: Record<string, string>
}

export interface ReceivedRequest {
  request: IncomingMessage
  url: URL
  body: Buffer
  requestId: string
}

/** HTTP APIs pass these media types as text, and all others in base64. */
const textTypes = /^(?:text\/|application\/(?:json|javascript|xml)\b)/i

export function toEvent(
  { request, url, body, requestId }: ReceivedRequest,
  { routeKey, pathParameters }: MatchedRoute,
  api: { accountId: string; apiId: string },
): APIGatewayProxyEventV2 {
  const headers = headersOf(request)
  const cookie = request.headers.cookie === undefined ? undefined : request.headersDistinct.cookie
  const query = url.search === '' ? [] : queryOf(url.searchParams)
  // Binary content stays base64, so that the function gets the bytes.
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
      ...api,
      domainName: request.headers.host ?? 'localhost',
      domainPrefix: api.apiId,
      http: httpOf(request, url),
      requestId,
      routeKey,
      stage: '$default',
      time: logTime(now),
      timeEpoch: now.getTime(),
    },
    ...(body.length > 0 ? { body: body.toString(isBase64Encoded ? 'base64' : 'utf8') } : {}),
    isBase64Encoded,
  }
}

const queryOf = (parameters: URLSearchParams) =>
  [...new Set(parameters.keys())].map((name) => [name, parameters.getAll(name).join(',')])

/** Names in lower case, repeated headers joined by commas, cookies and the connection's headers left out. */
function headersOf({ rawHeaders, headers: { connection } }: IncomingMessage): Record<string, string> {
  const joined: Record<string, string> = {}
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [given = '', value = ''] = [rawHeaders[index], rawHeaders[index + 1]]
    const name = given.toLowerCase()
    if (name === 'cookie' || isHopByHop(name, connection)) continue
    joined[name] = Object.hasOwn(joined, name) ? `${joined[name]},${value}` : value
  }
  return joined
}

const httpOf = (request: IncomingMessage, url: URL): APIGatewayProxyEventV2['requestContext']['http'] => ({
  method: request.method ?? 'GET',
  path: decodedPath(url.pathname),
  protocol: `HTTP/${request.httpVersion}`,
  // The connection's address: a client can forge X-Forwarded-For.
  sourceIp: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
  userAgent: request.headers['user-agent'] ?? '',
})

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** As in access logs: `12/Mar/2020:19:03:58 +0000`. */
function logTime(instant: Date): string {
  const iso = instant.toISOString()
  return `${iso.slice(8, 10)}/${months[instant.getUTCMonth()]}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`
}

function decodedPath(path: string): string {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
