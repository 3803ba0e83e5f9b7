/** `/v1/…` over HTTP: keys, forms, idempotency, request ids and refusals as Stripe has them. */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import Stripe from 'stripe'
import { account } from './account.ts'
import type { Route } from './api.ts'
import { ApiError } from './api-error.ts'
import type { StripeEngine } from './engine.ts'
import type { Fault, Faults } from './faults.ts'
import { decodeForm } from './form.ts'
import { type Answer, IdempotencyKeys } from './idempotency.ts'

const bodyLimitBytes = 1024 * 1024

/** A handler for everything under `/v1/`. */
export function createHttpApi(engine: StripeEngine, faults: Faults) {
  const keys = new IdempotencyKeys()
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request)
    const { pathname: path, searchParams } = new URL(request.url ?? '/', 'http://stripe.invalid')
    const method = request.method ?? 'GET'
    const fault = faults.take(method, path)
    if (fault && (await befall(fault, request, response))) return
    const requestId = `req_${randomBytes(7).toString('hex')}`
    const key = method === 'POST' ? header(request, 'idempotency-key') : undefined
    const call = { method, path, encoded: method === 'GET' ? searchParams.toString() : body, key, requestId }
    const answer = answerTo(engine, keys, request, call, fault?.kind === 'delay' ? fault.delay_ms : 0)
    const { status, body: text, headers = {} } = await answer
    if (fault?.kind === 'lost_answer') {
      request.socket.destroy()
      return
    }
    response.writeHead(status, {
      'content-type': 'application/json',
      'request-id': requestId,
      'stripe-version': header(request, 'stripe-version') ?? Stripe.API_VERSION,
      'stripe-account': header(request, 'stripe-account') ?? account.id,
      ...(key === undefined ? {} : { 'idempotency-key': key }),
      ...headers,
    })
    response.end(text)
  }
}

interface Call {
  method: string
  path: string
  encoded: string
  key: string | undefined
  requestId: string
}

interface FullAnswer extends Answer {
  headers?: Record<string, string>
}

async function answerTo(
  engine: StripeEngine,
  keys: IdempotencyKeys,
  request: IncomingMessage,
  call: Call,
  delayMs: number,
): Promise<FullAnswer> {
  try {
    requireKey(request)
    const first =
      call.key &&
      keys.begin(call.key, JSON.stringify([call.method, call.path, decodeForm(call.encoded)]), call.requestId)
    if (first) {
      return { ...first.answer, headers: { 'idempotent-replayed': 'true', 'original-request': first.requestId } }
    }
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
    const answer = perform(engine, call)
    if (call.key) {
      if (wasExecuted(answer)) keys.keep(call.key, answer)
      else keys.forget(call.key)
    }
    return answer
  } catch (error) {
    return refusal(error)
  }
}

function perform(engine: StripeEngine, { method, path, encoded, key, requestId }: Call): Answer {
  engine.store.request = { id: requestId, idempotency_key: key ?? null }
  try {
    return {
      status: 200,
      body: JSON.stringify(engine.request(method as Route['method'], path, decodeForm(encoded)), null, 2),
    }
  } catch (error) {
    return refusal(error)
  } finally {
    engine.store.request = { id: null, idempotency_key: null }
  }
}

/** Stripe keeps no answer to a request whose parameters it refused before it began. */
const wasExecuted = ({ status }: Answer): boolean => status < 400 || status === 402

function refusal(error: unknown): Answer {
  if (!(error instanceof ApiError)) console.error(error)
  const { status, body } =
    error instanceof ApiError
      ? error
      : new ApiError(500, { type: 'api_error', message: 'An error occurred within the local Stripe; see its log.' })
  const doc_url = body.code ? { doc_url: `https://stripe.com/docs/error-codes/${body.code.replaceAll('_', '-')}` } : {}
  return { status, body: JSON.stringify({ error: { ...body, ...doc_url } }, null, 2) }
}

function requireKey(request: IncomingMessage): void {
  const [scheme = '', credential = ''] = (header(request, 'authorization') ?? '').split(' ')
  const key =
    scheme.toLowerCase() === 'basic' ? (Buffer.from(credential, 'base64').toString().split(':')[0] ?? '') : credential
  if (/^[rs]k_test_\w+$/.test(key)) return
  const message = key
    ? `Invalid API Key provided: ${key.slice(0, 8)}${'*'.repeat(Math.max(0, key.length - 12))}${key.slice(8).slice(-4)}`
    : "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
  throw new ApiError(401, { type: 'invalid_request_error', message })
}

/** True when the fault has taken the request. */
async function befall(fault: Fault, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  if (fault.kind === 'timeout') return true
  if (fault.kind === 'reset') {
    request.socket.destroy()
    return true
  }
  if (fault.kind !== 'error' && fault.kind !== 'rate_limit') return false
  const status = fault.kind === 'rate_limit' ? 429 : fault.status
  const error =
    status === 429
      ? {
          type: 'invalid_request_error',
          code: 'rate_limit',
          message: 'Request rate limit exceeded. Learn more at https://stripe.com/docs/rate-limits',
        }
      : { type: 'api_error', message: 'An unknown error occurred' }
  response.writeHead(status, {
    'content-type': 'application/json',
    'request-id': `req_${randomBytes(7).toString('hex')}`,
  })
  response.end(JSON.stringify({ error }))
  return true
}

const header = (request: IncomingMessage, name: string): string | undefined => request.headersDistinct[name]?.[0]

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size <= bodyLimitBytes) chunks.push(chunk as Buffer)
  }
  return size > bodyLimitBytes ? '' : Buffer.concat(chunks).toString('utf8')
}
