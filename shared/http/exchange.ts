/** One request in the pipeline: the data of the gateway's event, none of which is trusted. */
import { randomUUID } from 'node:crypto'
import type { Caller } from '../auth/caller.ts'
import { withoutKeys } from '../pasted-credentials.ts'
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
  /** When the work must end: the Lambda's time-out, minus a margin for the answer. */
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
  /** Headers of the answer, whether the request succeeds or fails. */
  answerHeaders: Record<string, string>
  caller: Caller | undefined
  /** The pending count of this request against its principal's limit, started once the principal is known. */
  rateCount: Promise<RateCount | undefined> | undefined
  /** Work that must end before the answer, since Lambda freezes the process then. Never rejects. */
  noted: Promise<void> | undefined
  /** The request from the client. Only its JSON is parsed. */
  sent: { params: unknown; query: unknown; body: unknown }
  /** The route that the gateway chose, `GET /api/v2/settings`. */
  routeKey: string | undefined
  /** The called operation of the published face; undefined on our own face. */
  published: Published | undefined
  /** The validated request. */
  input: { params: unknown; query: unknown; body: unknown }
  /** The error for a request whose only fault is an instant in the past. A replay has priority over it. */
  pastFault: ProblemError | undefined
}

/** Longer user agents are cut: audit events store them for a year. */
const userAgentLimit = 512

/** Reads a gateway event (payload 2.0) of any shape. Missing values, and values of the wrong type, become empty. */
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
