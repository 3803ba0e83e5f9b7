/**
 * Answers of the local gateway: API Gateway's, and those from a function's output.
 * `docs/gateway.md` has the source of each rule.
 */
import type { ServerResponse } from 'node:http'
import { isHopByHop } from './hop-by-hop.ts'

export interface GatewayAnswer {
  statusCode: number
  headers: Record<string, string>
  cookies: readonly string[]
  body: Buffer | string
}

const messages = {
  400: 'Bad Request',
  413: 'Request Entity Too Large',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const

/** An answer of API Gateway: JSON with a `message`, without problem details. */
export const ownAnswer = (statusCode: keyof typeof messages): GatewayAnswer =>
  jsonAnswer(statusCode, JSON.stringify({ message: messages[statusCode] }))

const jsonAnswer = (statusCode: number, body: string): GatewayAnswer => ({
  statusCode,
  headers: { 'content-type': 'application/json' },
  cookies: [],
  body,
})

/** Lambda refuses a larger payload, in either direction. */
export const lambdaPayloadLimitBytes = 6 * 1024 * 1024

/** Reads a function's output. Output without `statusCode` is the body of a 200; malformed or too large output is a 500. */
export function functionAnswer(output: unknown): GatewayAnswer {
  if (typeof output !== 'object' || output === null || !('statusCode' in output)) {
    const json = JSON.stringify(output ?? null)
    if (isTooLarge(json)) return ownAnswer(500)
    return jsonAnswer(200, typeof output === 'string' ? output : json)
  }
  return structuredAnswer(output as Record<string, unknown>) ?? ownAnswer(500)
}

/** Output in Lambda's form; undefined if a field is malformed, or the output too large. */
function structuredAnswer(output: Record<string, unknown>): GatewayAnswer | undefined {
  const { statusCode, headers = {}, cookies = [], body = '', isBase64Encoded = false } = output
  if (!isStatus(statusCode) || !isScalars(headers) || !isTexts(cookies) || typeof body !== 'string') return undefined
  // JSON writes a character as six at most. A short body needs no exact count.
  if (body.length > lambdaPayloadLimitBytes / 8 && isTooLarge(JSON.stringify(output))) return undefined
  const lowered: Record<string, string> = {}
  for (const name in headers) lowered[name.toLowerCase()] = String(headers[name])
  return { statusCode, headers: lowered, cookies, body: isBase64Encoded === true ? Buffer.from(body, 'base64') : body }
}

const isTooLarge = (json: string): boolean => Buffer.byteLength(json) > lambdaPayloadLimitBytes

const isStatus = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 100 && Number(value) < 600

const isScalars = (value: unknown): value is Record<string, string | number | boolean> =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((entry) => ['string', 'number', 'boolean'].includes(typeof entry))

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'string')

/** Sends an answer. Each cookie is a separate `set-cookie`. The gateway sets the connection's headers. */
export function sendAnswer(
  response: ServerResponse,
  { statusCode, headers, cookies, body }: GatewayAnswer,
  requestId: string,
): void {
  const sent: Record<string, string | string[] | number> = { 'apigw-requestid': requestId }
  for (const name in headers) if (name !== 'content-length' && !isHopByHop(name)) sent[name] = headers[name] as string
  if (cookies.length > 0) sent['set-cookie'] = [...cookies]
  // The length of a HEAD is that of the GET, which is unknown here.
  const hasLength = statusCode !== 204 && statusCode !== 304 && response.req.method !== 'HEAD'
  if (hasLength) sent['content-length'] = Buffer.byteLength(body)
  response.writeHead(statusCode, sent)
  response.end(body)
}
