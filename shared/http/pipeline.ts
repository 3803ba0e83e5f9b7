/**
 * The pipeline of every operation, public or not: one middy stack per function, built once from its contract. Hooks run in
 * this order for the request, and in reverse for the answer. The error mapper is among the first, so it runs among the last.
 */
import middy, { type MiddlewareObj, type Request } from '@middy/core'
import type { APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import type * as z from 'zod'
import { actorOf, type Caller, orgOf } from '../auth/caller.ts'
import { ProblemError, problemBody, requestTimeout } from '../problem.ts'
import { answerMarginMs } from '../runtime/deadline.ts'
import { log } from '../runtime/log.ts'
import { type Answer, toGatewayResult } from './answer.ts'
import { sendsBasic } from './client-authentication.ts'
import { isPreflight, readableBy } from './cors.ts'
import { type Exchange, openExchange } from './exchange.ts'
import { requireFront } from './front.ts'
import type { Operation } from './operation.ts'
import { publishedAt, publishedError, speaksPublished, toPublishedAnswer } from './published.ts'
import { validate } from './validate.ts'

type Result = APIGatewayProxyStructuredResultV2
export type Hook = MiddlewareObj<Exchange, Result, Error, Context>
export type HookRequest = Request<Exchange, Result, Error, Context>

/** The validated request that handlers get. */
export interface RequestOf<Op extends Operation> {
  params: z.output<Op['params']>
  query: z.output<Op['query']>
  body: z.output<NonNullable<Op['body']>>
  method: string
  path: string
  headers: Exchange['headers']
  /** Whether the body has a field. If not, the field's value is a default. */
  names(field: string): boolean
  /** The bytes of the body, for operations that check a signature. */
  rawBody: Uint8Array
  ip: string | undefined
  requestId: string
  now: Date
}

/** Builds a Lambda handler: the hooks of every operation, those of `admission` between them, and `respond`. */
export function pipeline(
  operation: Operation,
  admission: readonly Hook[],
  respond: (exchange: Exchange) => Promise<Answer>,
) {
  return middy({
    timeoutEarlyInMillis: answerMarginMs,
    timeoutEarlyResponse: () => {
      throw requestTimeout()
    },
  })
    .use([
      exchangeAndLog(operation),
      problemJson(operation),
      standingHeaders(operation),
      { before: ({ event: exchange }) => requireFront(exchange) },
      ...admission,
      input(operation),
    ])
    .handler(async (event: unknown) => {
      // The first hook replaced the event by the exchange.
      const exchange = event as Exchange
      const ours = await respond(exchange)
      const answer = exchange.published ? toPublishedAnswer(ours, exchange, exchange.published) : ours
      return toGatewayResult(notModified(exchange, answer) ?? answer, exchange.answerHeaders)
    })
}

/** The request for the handler of `Op`; `validate` parsed it with that operation's schemas. */
export const requestOf = <Op extends Operation>(exchange: Exchange): RequestOf<Op> => {
  const { input, method, path, headers, rawBody, ip, requestId, now } = exchange
  const validated = input as Pick<RequestOf<Op>, 'params' | 'query' | 'body'>
  const { body } = exchange.sent
  const names = (field: string) => typeof body === 'object' && body !== null && Object.hasOwn(body, field)
  return { names, ...validated, method, path, headers, rawBody, ip, requestId, now }
}

/** 304 without a body when `If-None-Match` names the current ETag (RFC 9110, section 13.1.2). */
function notModified({ method, headers }: Exchange, answer: Answer): Answer | undefined {
  const etag = answer.headers?.etag
  const known = headers['if-none-match']
  if ((method !== 'GET' && method !== 'HEAD') || answer.status !== 200 || etag === undefined || known === undefined)
    return undefined
  const matches = known.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
  return matches ? { status: 304, ...(answer.headers ? { headers: answer.headers } : {}) } : undefined
}

/** Opens the exchange. At the end, drops the body of a HEAD, logs one line and adds the request id. */
function exchangeAndLog(operation: Operation): Hook {
  const finish = async (request: HookRequest) => {
    const { event: exchange, response } = request
    await exchange.noted
    if (!response) return
    if (exchange.method === 'HEAD') delete response.body
    response.headers = { ...response.headers, 'x-request-id': exchange.requestId }
    log.info('request', {
      operation: operation.id,
      method: exchange.method,
      path: exchange.path,
      status: response.statusCode,
      latency_ms: Date.now() - exchange.now.getTime(),
      request_id: exchange.requestId,
      ...callerFields(exchange.caller),
      ...(request.error instanceof ProblemError ? { problem: request.error.code } : {}),
    })
  }
  return {
    before: (request) => {
      const exchange = openExchange(request.event, request.context)
      exchange.published = publishedAt(operation, exchange.routeKey)
      request.event = exchange
    },
    after: finish,
    onError: finish,
  }
}

function callerFields(caller: Caller | undefined) {
  if (!caller) return {}
  const { type, id } = actorOf(caller)
  return { org_id: orgOf(caller), principal: id, principal_type: type }
}

/** Turns an error into problem+json, or into the published envelope. Logs an unexpected error with its stack: 500. */
function problemJson(operation: Operation): Hook {
  return {
    onError: (request) => {
      const { event: exchange } = request
      const problem = request.error instanceof ProblemError ? request.error : unexpected(request, exchange)
      const { type, body } = speaksPublished(exchange, operation)
        ? { type: 'application/json', body: publishedError(problem, exchange.requestId, exchange.published) }
        : { type: 'application/problem+json', body: problemBody(problem, exchange.requestId, exchange.path) }
      request.response = {
        statusCode: problem.status,
        headers: {
          ...exchange.answerHeaders,
          'content-type': type,
          ...(problem.status === 401 ? { 'www-authenticate': challenges(problem, operation, exchange) } : {}),
          ...problem.details.headers,
        },
        body: JSON.stringify(body),
      }
    },
  }
}

function unexpected(request: HookRequest, exchange: Exchange): ProblemError {
  const error = request.error
  log.error('unexpected error', { request_id: exchange.requestId, error: error ?? new Error('nothing was thrown') })
  const problem = isAwsFault(error)
    ? new ProblemError('service_unavailable', 'A dependency of the service does not respond. Retry later.', {
        headers: { 'retry-after': '1' },
      })
    : new ProblemError('server_error', 'An unexpected error occurred. Include the request id when you report it.')
  request.error = problem
  return problem
}

/** Throttling, outages and time-outs of AWS, by the SDK's names. The caller can retry. */
function isAwsFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (transientFaults.has(error.name) || ('code' in error && transientFaults.has(String(error.code)))) return true
  return '$fault' in error && error.$fault === 'server'
}

const transientFaults = new Set([
  ...['TimeoutError', 'AbortError', 'NetworkingError'],
  ...['ThrottlingException', 'ProvisionedThroughputExceededException', 'RequestLimitExceeded'],
  ...['TransactionConflictException', 'TransactionInProgressException'],
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'],
])

/** RFC 6749, section 5.2: the scheme that the client used must be among the challenges. Browsers ask people for Basic. */
const challenges = (problem: ProblemError, { clientAuthentication }: Operation, { headers }: Exchange): string =>
  clientAuthentication && sendsBasic(headers) ? `${challenge(problem)}, Basic realm="octomil"` : challenge(problem)

/** RFC 6750 allows only printable ASCII without quote and backslash in `error_description`. */
const challenge = ({ code, message }: ProblemError): string =>
  code === 'authentication_failed'
    ? 'Bearer realm="octomil"'
    : `Bearer realm="octomil", error="invalid_token", error_description="${message.replaceAll(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, "'")}"`

/** Headers of every answer, problems included. */
function standingHeaders(operation: Operation): Hook {
  return {
    before: ({ event: exchange }) => {
      const { method, headers } = exchange
      Object.assign(exchange.answerHeaders, isPreflight(method, headers) ? {} : readableBy(operation, headers.origin), {
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'referrer-policy': 'no-referrer',
        'strict-transport-security': 'max-age=63072000; includeSubDomains',
        'x-content-type-options': 'nosniff',
      })
    },
  }
}

function input(operation: Operation): Hook {
  return { before: ({ event: exchange }) => validate(operation, exchange) }
}
