/** One request on its way through the pipeline: what the gateway's event says, read without trusting any of it. */
import { randomUUID } from 'node:crypto'
import { withoutKeys } from '../auth/api-key.ts'
import type { Caller } from '../auth/caller.ts'
import type { ProblemError } from '../problem.ts'
import { deadlineOf, requestIdOf } from '../runtime/deadline.ts'
import { object, text } from '../untrusted.ts'
import type { Published } from './published.ts'

/** A request's place among those of its principal in the current window. */
export interface RateCount {
  /** 1 for the first request of the window. */
  count: number
  /** Seconds until the window ends. */
  resetSeconds: number
}

export interface Exchange {
  requestId: string
  now: Date
  /** When work must be over: the Lambda's own end less a margin for the answer. */
  deadline: Date
  method: string
  path: string
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>
  query: Readonly<Record<string, string>>
  pathParameters: Readonly<Record<string, string>>
  rawBody: Uint8Array
  ip: string | undefined
  userAgent: string | undefined
  /** Headers that the answer will carry whatever becomes of the request. */
  answerHeaders: Record<string, string>
  caller: Caller | undefined
  /** The request as counted against its principal's limit, under way since the principal is known. */
  rateCount: Promise<RateCount | undefined> | undefined
  /** Work that must end before the answer, since Lambda freezes the process then. Never rejects. */
  noted: Promise<void> | undefined
  /** The request as the client sent it, its JSON parsed and nothing else. */
  sent: { params: unknown; query: unknown; body: unknown }
  /** The route that the gateway chose, `GET /api/v2/settings`. */
  routeKey: string | undefined
  /** The published operation that was called; undefined on our own face. */
  published: Published | undefined
  /** The validated request. */
  input: { params: unknown; query: unknown; body: unknown }
  /** The refusal of a request whose only fault is an instant that has passed; a replay comes before it. */
  pastFault: ProblemError | undefined
}

/** Longer user agents are cut: they are kept in audit events for a year. */
const userAgentLimit = 512

/** Reads a gateway event (payload 2.0) of whatever shape: what is missing or of the wrong type is empty. */
export function openExchange(event: unknown, context: unknown): Exchange {
  const { routeKey, headers, queryStringParameters, pathParameters, rawPath, requestContext, body, isBase64Encoded } =
    object(event)
  const { http, requestId } = object(requestContext)
  const { method, sourceIp, userAgent } = object(http)
  const now = new Date()
  return {
    requestId: text(requestId) ?? requestIdOf(context) ?? randomUUID(),
    now,
    deadline: deadlineOf(context, now),
    method: text(method) ?? 'GET',
    path: withoutKeys(text(rawPath) ?? '/'),
    headers: texts(headers, (name) => name.toLowerCase()),
    query: texts(queryStringParameters),
    pathParameters: texts(pathParameters),
    rawBody: Buffer.from(text(body) ?? '', isBase64Encoded === true ? 'base64' : 'utf8'),
    ip: text(sourceIp),
    userAgent: userAgentOf(text(userAgent)),
    answerHeaders: {},
    caller: undefined,
    rateCount: undefined,
    noted: undefined,
    sent: { params: {}, query: {}, body: undefined },
    routeKey: text(routeKey),
    published: undefined,
    input: { params: {}, query: {}, body: undefined },
    pastFault: undefined,
  }
}

const userAgentOf = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : withoutKeys(value).slice(0, userAgentLimit).toWellFormed()

function texts(value: unknown, rename = (name: string) => name): Record<string, string> {
  const entries = Object.entries(object(value)).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
  return Object.fromEntries(entries.map(([name, content]) => [rename(name), content.toWellFormed()]))
}
