/**
 * The pipeline: one middy stack per function, built once from its contract. Hooks run in this order on the way in, and
 * in reverse on the way out; the error mapper is among the first so that it runs among the last.
 */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import middy, { type MiddlewareObj, type Request } from '@middy/core'
import type { APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import type * as z from 'zod'
import type { Circumstances } from '../audit/trail.ts'
import { authenticate } from '../auth/authenticate.ts'
import { actorOf, type Caller } from '../auth/caller.ts'
import { type IdPrefix, idPattern } from '../ids.ts'
import { log } from '../runtime/log.ts'
import { type Change, commit, pauseBeforeNext, StaleReadError } from '../storage/commit.ts'
import { type Answer, toGatewayResult } from './answer.ts'
import { authorize } from './authorize.ts'
import { answerMarginMs, type Exchange, openExchange } from './exchange.ts'
import { type IdempotencyLease, onceOnly } from './idempotency.ts'
import type { Operation } from './operation.ts'
import { ProblemError, problemBody } from './problem.ts'
import { enforceRateLimit } from './rate-limit.ts'
import { validate } from './validate.ts'

type Result = APIGatewayProxyStructuredResultV2
type Hook = MiddlewareObj<Exchange, Result, Error, Context>
type HookRequest = Request<Exchange, Result, Error, Context>

/** What a handler is given: the validated request, and the way to write. */
export interface Call<Op extends Operation> {
  params: z.output<Op['params']>
  query: z.output<Op['query']>
  body: z.output<NonNullable<Op['body']>>
  caller: Op['scope'] extends 'public' ? undefined : Caller
  method: string
  path: string
  headers: Exchange['headers']
  requestId: string
  now: Date
  /** Writes a change with its audit event, and hands back the answer. Its `once` is not kept for replays. */
  commit(change: Change, answer: Answer): Promise<Answer>
}

/** The story of an operation: typed request in, domain calls, typed answer out. Run again when what it read was stale. */
type Story<Op extends Operation> = (call: Call<Op>) => Promise<Answer> | Answer

/** The Lambda handler of an operation. */
export function serve<Op extends Operation>(operation: Op, story: Story<Op>) {
  return middy({
    timeoutEarlyInMillis: answerMarginMs,
    timeoutEarlyResponse: () => {
      throw new ProblemError('request_timeout', 'The request took too long and was given up; it may still take effect.')
    },
  })
    .use(exchangeAndLog(operation))
    .use(problemJson())
    .use(securityHeaders())
    .use(admission(operation))
    .use(deniedAttempts(operation))
    .use(input(operation))
    .handler(async (event: unknown) => {
      // The first hook has put the exchange in the event's place.
      const exchange = event as Exchange
      const answer = await onceOnly(operation, exchange.caller, exchange, (lease) => tell(story, exchange, lease))
      return toGatewayResult(notModified(exchange, answer) ?? answer, exchange.answerHeaders)
    })
}

/** A GET whose caller has the answer already is told so, without the body (RFC 9110, section 13.1.2). */
function notModified({ method, headers }: Exchange, answer: Answer): Answer | undefined {
  const etag = answer.headers?.etag
  const known = headers['if-none-match']
  if (method !== 'GET' || answer.status !== 200 || etag === undefined || known === undefined) return undefined
  const matches = known.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
  return matches ? { status: 304, ...(answer.headers ? { headers: answer.headers } : {}) } : undefined
}

/** Opens the exchange, and at the very end logs one line and stamps the request id. */
function exchangeAndLog(operation: Operation): Hook {
  const finish = (request: HookRequest) => {
    const { event: exchange, response } = request
    if (!response) return
    response.headers = { ...response.headers, 'x-request-id': exchange.requestId }
    log.info('request', {
      operation: operation.id,
      method: exchange.method,
      path: exchange.path,
      status: response.statusCode,
      latency_ms: Date.now() - exchange.now.getTime(),
      request_id: exchange.requestId,
      ...(exchange.caller ? { org_id: exchange.caller.orgId, principal: actorOf(exchange.caller).id } : {}),
      ...(request.error instanceof ProblemError ? { problem: request.error.code } : {}),
    })
  }
  return {
    before: (request) => {
      request.event = openExchange(request.event, request.context)
    },
    after: finish,
    onError: finish,
  }
}

/** Turns whatever was thrown into problem+json. What nobody threw on purpose is logged with its stack and told as a 500. */
function problemJson(): Hook {
  return {
    onError: (request) => {
      const { event: exchange } = request
      const problem = request.error instanceof ProblemError ? request.error : unexpected(request, exchange)
      request.response = {
        statusCode: problem.status,
        headers: {
          ...exchange.answerHeaders,
          'content-type': 'application/problem+json',
          ...(problem.status === 401 ? { 'www-authenticate': challenge(problem) } : {}),
          ...problem.details.headers,
        },
        body: JSON.stringify(problemBody(problem, exchange.requestId, exchange.path)),
      }
    },
  }
}

function unexpected(request: HookRequest, exchange: Exchange): ProblemError {
  const error = request.error
  log.error('unexpected error', { request_id: exchange.requestId, error: error ?? new Error('nothing was thrown') })
  const problem = isAwsFault(error)
    ? new ProblemError('service_unavailable', 'A part of the service does not answer at the moment; try again.', {
        headers: { 'retry-after': '1' },
      })
    : new ProblemError('server_error', 'Something went wrong on our side; the request id tells us what.')
  request.error = problem
  return problem
}

/** Throttling, outages and time-outs of AWS, as the SDK marks them: for the caller to try again. */
function isAwsFault(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof ConditionalCheckFailedException) return false
  if (['TimeoutError', 'AbortError', 'NetworkingError'].includes(error.name)) return true
  return '$fault' in error
    ? error.$fault === 'server' || '$retryable' in error
    : 'code' in error && isSocketCode(error.code)
}

const isSocketCode = (code: unknown): boolean =>
  ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'].includes(String(code))

const challenge = ({ code, message }: ProblemError): string =>
  code === 'authentication_failed'
    ? 'Bearer realm="octomil"'
    : `Bearer realm="octomil", error="invalid_token", error_description="${message.replaceAll('"', "'")}"`

function securityHeaders(): Hook {
  return {
    before: ({ event: exchange }) => {
      Object.assign(exchange.answerHeaders, {
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'referrer-policy': 'no-referrer',
        'strict-transport-security': 'max-age=63072000; includeSubDomains',
        'x-content-type-options': 'nosniff',
      })
    },
  }
}

/** Who is it, how often, and may they: 401, then 429, then 403. */
function admission(operation: Operation): Hook {
  return {
    before: async ({ event: exchange }) => {
      if (operation.scope === 'public') return
      await authenticate(exchange)
      await enforceRateLimit(exchange)
      if (exchange.caller) authorize(operation, exchange.caller, exchange)
    },
  }
}

/** Records a 403 on a mutation, whoever threw it. Failing to record it must not turn the refusal into anything else. */
function deniedAttempts(operation: Operation): Hook {
  const { audit } = operation
  const record = async ({ event: exchange, error }: HookRequest) => {
    if (!audit || !exchange.caller || !(error instanceof ProblemError) || error.code !== 'forbidden') return
    const id = audit.param ? exchange.pathParameters[audit.param] : undefined
    const prefix = id?.split('_', 1)[0]
    const isId = id !== undefined && idPattern(prefix as IdPrefix).test(id)
    const denied: Change = {
      action: audit.action,
      resource: { type: audit.resource, ...(isId ? { id } : {}) },
      result: 'denied',
      changes: [],
      writes: [],
    }
    try {
      await commit(denied, circumstancesOf(exchange, exchange.caller), exchange.deadline)
    } catch (failure) {
      log.error('a denied attempt was not recorded', { request_id: exchange.requestId, error: failure as Error })
    }
  }
  return { onError: record }
}

function input(operation: Operation): Hook {
  return { before: ({ event: exchange }) => validate(operation, exchange) }
}

const circumstancesOf = (exchange: Exchange, caller: Caller): Circumstances => ({
  orgId: caller.orgId,
  actor: actorOf(caller),
  now: exchange.now,
  requestId: exchange.requestId,
  ip: exchange.ip,
  userAgent: exchange.userAgent,
})

/** Runs the story, again with a fresh read whenever another request was quicker, until the time is up. */
async function tell<Op extends Operation>(
  story: Story<Op>,
  exchange: Exchange,
  lease: IdempotencyLease | undefined,
): Promise<Answer> {
  // `validate` has parsed the input with this very operation's schemas, and `admission` has set the caller.
  const call = {
    ...exchange.input,
    caller: exchange.caller,
    method: exchange.method,
    path: exchange.path,
    headers: exchange.headers,
    requestId: exchange.requestId,
    now: exchange.now,
    commit: (change: Change, answer: Answer) => commitFor(exchange, lease, change, answer),
  } as Call<Op>
  for (let attempt = 0; ; attempt++) {
    try {
      return await story(call)
    } catch (error) {
      if (!(error instanceof StaleReadError)) throw error
      await pauseBeforeNext(attempt, exchange.deadline, error)
    }
  }
}

async function commitFor(
  exchange: Exchange,
  lease: IdempotencyLease | undefined,
  change: Change,
  answer: Answer,
): Promise<Answer> {
  if (!exchange.caller) throw new TypeError('only an authenticated operation can commit')
  const writes = lease ? [...change.writes, lease.keepWith(answer)] : change.writes
  await commit({ ...change, writes }, circumstancesOf(exchange, exchange.caller), exchange.deadline)
  lease?.kept()
  return answer
}
