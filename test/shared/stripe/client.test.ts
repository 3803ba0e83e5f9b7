/** Stripe's client: which version it speaks, how long it waits, and what becomes of its failures. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import Stripe from 'stripe'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { ProblemError } from '../../../shared/problem.ts'
import { callStripe, isMissing, isRefusal, stripe } from '../../../shared/stripe/client.ts'
import { logLines } from '../../support/logs.ts'
import { mockClientHere } from '../../support/mock-client.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void
let answer: Answer
let requests: IncomingMessage[]
let server: Server

const json =
  (status: number, body: object, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    void response
      .writeHead(status, { 'content-type': 'application/json', 'request-id': 'req_1', ...headers })
      .end(JSON.stringify(body))
const error = (
  status: number,
  details: object = {},
  headers: Record<string, string> = { 'stripe-should-retry': 'false' },
) =>
  json(
    status,
    { error: { type: 'api_error', message: 'a message of Stripe for sk_test_canary and whsec_canary', ...details } },
    headers,
  )

const page: Answer = (_request, response) => void response.end('<html>')
const hangUp: Answer = (request) => void request.socket.destroy()

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(request)
    request.resume()
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  vi.stubEnv('STRIPE_API_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
beforeEach(() => {
  requests = []
  answer = json(200, { object: 'list', data: [], has_more: false })
})
afterEach(() => {
  process.env.STRIPE_SECRET_KEY = 'sk_test_local'
})
afterAll(() => {
  vi.unstubAllEnvs()
  server.closeAllConnections()
  server.close()
})

const list = () => callStripe((client) => client.customers.list())
const failure = async (run: () => Promise<unknown> = list): Promise<ProblemError> => {
  const thrown = await run().catch((reason: unknown) => reason)
  expect(thrown).toBeInstanceOf(ProblemError)
  return thrown as ProblemError
}

describe('a call', () => {
  test('sends the API version of the package and the key, and no data about this machine', async () => {
    await list()
    const { headers } = requests[0] ?? {}
    expect(headers).toMatchObject({ 'stripe-version': Stripe.API_VERSION, authorization: 'Bearer sk_test_local' })
    expect(headers).not.toHaveProperty('x-stripe-client-telemetry')
  })

  test('has 8 seconds, and two more tries', async () => {
    const client = await stripe()
    expect([client.getApiField('timeout'), client.getMaxNetworkRetries()]).toEqual([8000, 2])
    answer = error(500, {}, {})
    await failure()
    expect(requests).toHaveLength(3)
  })

  test('uses the same client while the key is the same', async () => {
    const first = await stripe()
    expect(await stripe()).toBe(first)
    process.env.STRIPE_SECRET_KEY = 'sk_test_another'
    expect(await stripe()).not.toBe(first)
  })
})

describe('a failure', () => {
  test.each([
    ['500', error(500), 'upstream_error'],
    ['502', error(502), 'upstream_error'],
    ['429', error(429, { code: 'rate_limit' }), 'service_unavailable'],
    ['403', error(403), 'service_unavailable'],
    ['402', error(402, { type: 'card_error' }), 'upstream_error'],
    ['a 400 that nobody expected', error(400, { type: 'invalid_request_error' }), 'upstream_error'],
    [
      'a 404 that nobody expected',
      error(404, { type: 'invalid_request_error', code: 'resource_missing' }),
      'upstream_error',
    ],
    ['an idempotency key with other parameters', error(400, { type: 'idempotency_error' }), 'upstream_error'],
    ['what is not JSON', page, 'upstream_error'],
    ['a broken connection', hangUp, 'service_unavailable'],
  ] as const)('with %s is %s, and says nothing of Stripe’s words', async (_what, faulty, code) => {
    answer = faulty
    const from = logLines.length
    const problem = await failure()
    expect(problem.code).toBe(code)
    expect(problem.message).not.toMatch(/a message of Stripe|canary|html/)
    const lines = logLines.slice(from).join('')
    expect(lines).toContain('Stripe returned an error')
    expect(lines).not.toMatch(/canary|sk_test_local/)
  })

  test('that is for later says when', async () => {
    answer = error(429, { code: 'rate_limit' })
    expect((await failure()).details.headers).toEqual({ 'retry-after': '5' })
  })

  test('of Stripe that the caller expects can be handled before it becomes a problem', async () => {
    answer = error(404, { type: 'invalid_request_error', code: 'resource_missing' })
    const judged = await callStripe((client) =>
      client.customers.retrieve('cus_1').catch((thrown) => [isMissing(thrown), isRefusal(thrown)]),
    )
    expect(judged).toEqual([true, true])
    answer = error(400, { type: 'invalid_request_error', code: 'something_else' })
    expect(
      await callStripe((client) => client.customers.list().catch((thrown) => [isMissing(thrown), isRefusal(thrown)])),
    ).toEqual([false, true])
    answer = error(500)
    expect(
      await callStripe((client) => client.customers.list().catch((thrown) => [isMissing(thrown), isRefusal(thrown)])),
    ).toEqual([false, false])
  })

  test('of our own is not changed', async () => {
    const own = new Error('ours')
    await expect(callStripe(() => Promise.reject(own))).rejects.toBe(own)
    expect(requests).toEqual([])
  })

  test('with a refused key names the location of the key, not its value', async () => {
    answer = error(401, { type: 'invalid_request_error' })
    const problem = await failure()
    expect(problem).toMatchObject({
      code: 'service_unavailable',
      message: expect.stringContaining('STRIPE_SECRET_KEY'),
    })
  })
})

test('without a key it is 503 and says which variable to set, without a call', async () => {
  delete process.env.STRIPE_SECRET_KEY
  process.env.STRIPE_WEBHOOK_SECRET = ''
  const problem = await failure()
  expect(problem).toMatchObject({ code: 'service_unavailable', message: expect.stringContaining('STRIPE_SECRET_KEY') })
  expect(requests).toEqual([])
})

describe('a key in Secrets Manager', () => {
  const manager = mockClientHere(SecretsManagerClient)
  const keep = (secret_key: string) =>
    manager.on(GetSecretValueCommand).resolves({ SecretString: JSON.stringify({ secret_key, webhook_secrets: [] }) })
  beforeEach(() => {
    manager.reset()
    vi.useFakeTimers({ toFake: ['Date'] })
    delete process.env.STRIPE_SECRET_KEY
    process.env.STRIPE_WEBHOOK_SECRET = ''
    process.env.STRIPE_SECRET_ARN = `arn:aws:secretsmanager:us-east-1:1:secret:${performance.now()}`
  })
  afterEach(() => {
    vi.useRealTimers()
    delete process.env.STRIPE_SECRET_ARN
  })
  const onlyWith =
    (key: string): Answer =>
    (request, response) =>
      (request.headers.authorization === `Bearer ${key}` ? json(200, { object: 'list', data: [] }) : error(401))(
        request,
        response,
      )

  test('that was rotated is noticed by its refusal, and the call succeeds', async () => {
    keep('sk_test_old')
    answer = onlyWith('sk_test_old')
    await list()
    keep('sk_test_new')
    answer = onlyWith('sk_test_new')
    vi.setSystemTime(Date.now() + 31_000)
    await list()
    expect(requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer sk_test_old',
      'Bearer sk_test_old',
      'Bearer sk_test_new',
    ])
  })

  test('that stays wrong is reported, and does not cause a call to Secrets Manager per request', async () => {
    keep('sk_test_wrong')
    answer = error(401)
    for (let index = 0; index < 5; index++) {
      expect((await failure()).message).toContain('STRIPE_SECRET_ARN')
    }
    expect(manager.commandCalls(GetSecretValueCommand)).toHaveLength(1)
    expect(requests).toHaveLength(5)
  })

  test('that is not filled in yet is 503 and says where to put it, and once it is it is seen within 30 seconds', async () => {
    keep('')
    expect((await failure()).message).toMatch(/secret_key of the Secrets Manager secret/)
    keep('sk_test_filled')
    vi.setSystemTime(Date.now() + 30_000)
    await list()
    expect(requests).toHaveLength(1)
  })
})
