/** `/v1/…` over HTTP, with Stripe's keys, forms, idempotency, request ids and errors. */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import Stripe from 'stripe'
import { account } from '../model/account.ts'
import type { Route } from '../model/api.ts'
import { ApiError } from '../model/api-error.ts'
import type { StripeEngine } from '../model/engine.ts'
import type { Fault, Faults } from './faults.ts'
import { decodeForm } from './form.ts'
import { type Answer, IdempotencyKeys } from './idempotency.ts'
import { readBody } from './read-body.ts'

interface Call {
  method: string
  path: string
  /** The encoded parameters. */
  form: string
  idempotencyKey: string | undefined
  requestId: string
}

/** A handler for everything under `/v1/`. */
export function createHttpApi(engine: StripeEngine, faults: Faults) {
  const keys = new IdempotencyKeys()
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const requestId = `req_${randomBytes(7).toString('hex')}`
    const { pathname: path, search } = new URL(request.url ?? '/', 'http://stripe.invalid')
    const method = request.method ?? 'GET'
    const fault = faults.take(method, path)
    const answer = await answerOrNothing(fault, async () => {
      requireKey(request)
      const body = await readBody(request)
      const isPost = method === 'POST'
      const idempotencyKey = isPost ? header(request, 'idempotency-key') : undefined
      const call = { method, path, form: isPost ? body : search.slice(1), idempotencyKey, requestId }
      return withIdempotency(keys, call, fault, () => perform(engine, call))
    })
    if (answer === 'silence') return
    if (answer === 'reset') request.socket.destroy()
    else send(request, response, requestId, answer)
  }
}

/** Answers a request, or applies its fault. */
async function answerOrNothing(
  fault: Fault | undefined,
  proceed: () => Promise<Answer>,
): Promise<Answer | 'silence' | 'reset'> {
  if (fault?.kind === 'timeout') return 'silence'
  if (fault?.kind === 'reset') return 'reset'
  if (fault?.kind === 'rate_limit') return rateLimited
  if (fault?.kind === 'error')
    return { status: fault.status, body: errorBody({ type: 'api_error', message: 'An unknown error occurred' }) }
  const answer = await proceed().catch(refusal)
  return fault?.kind === 'lost_answer' ? 'reset' : answer
}

async function withIdempotency(
  keys: IdempotencyKeys,
  { method, path, form, idempotencyKey: key, requestId }: Call,
  fault: Fault | undefined,
  proceed: () => Answer,
): Promise<Answer> {
  const first = key && keys.begin(key, JSON.stringify([method, path, decodeForm(form)]), requestId)
  if (first) {
    const headers = { 'idempotent-replayed': 'true', 'original-request': first.requestId }
    return { ...first.answer, headers }
  }
  if (fault?.kind === 'delay') await new Promise((resolve) => setTimeout(resolve, fault.delay_ms))
  const answer = proceed()
  if (key && wasExecuted(answer)) keys.keep(key, answer)
  else if (key) keys.forget(key)
  return answer
}

/** Stripe stores no answer when it refuses a request's parameters. */
const wasExecuted = ({ status }: Answer): boolean => status < 400 || status === 402

function perform({ store, request }: StripeEngine, { method, path, form, idempotencyKey, requestId }: Call): Answer {
  store.request = { id: requestId, idempotency_key: idempotencyKey ?? null }
  try {
    // `findRoute` refuses an unknown method together with the path.
    const answer = request(method as Route['method'], path, decodeForm(form))
    return { status: 200, body: JSON.stringify(answer, null, 2) }
  } catch (error) {
    return refusal(error)
  } finally {
    store.request = { id: null, idempotency_key: null }
  }
}

function refusal(error: unknown): Answer {
  if (error instanceof ApiError) return { status: error.status, body: errorBody(error.body) }
  console.error(error)
  return { status: 500, body: errorBody({ type: 'api_error', message: 'The local Stripe failed; see its log.' }) }
}

const errorBody = ({ code, ...error }: ApiError['body']): string => {
  const named = code ? { code, doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll('_', '-')}` } : {}
  return JSON.stringify({ error: { ...named, ...error } }, null, 2)
}

const rateLimited: Answer = {
  status: 429,
  body: errorBody({
    type: 'invalid_request_error',
    code: 'rate_limit',
    message: 'Request rate limit exceeded. Learn more at https://stripe.com/docs/rate-limits',
  }),
}

function requireKey(request: IncomingMessage): void {
  const key = keyOf(header(request, 'authorization') ?? '')
  if (/^[rs]k_test_\w+$/.test(key)) return
  const message = key
    ? `Invalid API Key provided: ${key.slice(0, 8)}${'*'.repeat(Math.max(0, key.length - 12))}${key.slice(8).slice(-4)}`
    : "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
  throw new ApiError(401, { type: 'invalid_request_error', message })
}

function keyOf(authorization: string): string {
  const [scheme = '', credential = ''] = authorization.split(' ')
  if (scheme.toLowerCase() !== 'basic') return credential
  return Buffer.from(credential, 'base64').toString().split(':')[0] ?? ''
}

function send(request: IncomingMessage, response: ServerResponse, requestId: string, answer: Answer): void {
  const idempotencyKey = header(request, 'idempotency-key')
  response.writeHead(answer.status, {
    'content-type': 'application/json',
    'request-id': requestId,
    'stripe-version': header(request, 'stripe-version') ?? Stripe.API_VERSION,
    'stripe-account': header(request, 'stripe-account') ?? account.id,
    ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    ...answer.headers,
  })
  response.end(answer.body)
}

const header = (request: IncomingMessage, name: string): string | undefined => request.headersDistinct[name]?.[0]
