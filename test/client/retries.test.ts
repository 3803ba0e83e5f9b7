/** What the client makes of faults between it and the service. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  createSettingsClient,
  NoAnswerError,
  ProblemError,
  type RetryRules,
  type SettingsClient,
} from '../../client/src/index.ts'
import { createGateway } from '../../local/gateway.ts'
import { openTarget, orgsOf } from '../http/target.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'

const apiKeys = '/api/v2/settings/api-keys'
const integrations = '/api/v2/settings/integrations'
let proxy: FaultProxy
let admin: string
let settings: SettingsClient

const clientWith = (retries: Partial<RetryRules> = {}) =>
  createSettingsClient({ baseUrl: proxy.url, credential: admin, retries: { baseDelayMs: 10, ...retries } })

beforeAll(async () => {
  const target = await openTarget()
  admin = orgsOf(target).acme.api_keys.full_admin
  proxy = await startFaultProxy(target.url)
  settings = clientWith()
})
afterAll(() => proxy.close())

const failureOf = async (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  )
const keysSent = () => proxy.requests.map(({ headers }) => headers['idempotency-key'])
const unavailable = (headers: Record<string, string> = {}) => ({
  status: 503,
  headers: { 'content-type': 'application/problem+json', ...headers },
  body: JSON.stringify({
    ...{ type: '/api/v1/docs#v2/description/service_unavailable', title: 'Service unavailable', status: 503 },
    ...{ detail: 'A part is away.', message: 'A part is away.', instance: apiKeys, code: 'service_unavailable' },
    ...{ request_id: '01JD3V7K3Q9X5M2N8R4T6W0Y1Z', retryable: true, category: 'server' },
  }),
})

test('a create whose answer is lost has happened once, and the repetition says that the key has left already', async () => {
  proxy.inject('answer lost')
  const { data, replayed, status } = await settings.POST(apiKeys, { body: { name: 'lost', scopes: ['keys:read'] } })
  expect([status, replayed, data.api_key]).toEqual([201, true, undefined])
  expect(new Set(keysSent()).size).toBe(1)
  expect(keysSent()).toHaveLength(2)
  const made: string[] = []
  for await (const { name, id } of settings.entries(apiKeys)) if (name === 'lost') made.push(id)
  expect(made).toEqual([data.id])
})

test('each call has an idempotency key of its own, and the one that the caller names is kept', async () => {
  proxy.inject()
  const body = { name: 'own', scopes: ['keys:read' as const] }
  await settings.POST(apiKeys, { body })
  await settings.POST(apiKeys, { body })
  expect(new Set(keysSent()).size).toBe(2)
  proxy.inject('request lost')
  await settings.POST(apiKeys, { body, params: { header: { 'Idempotency-Key': 'mine' } } })
  expect(keysSent()).toEqual(['mine', 'mine'])
})

test.each([
  ['a request that is lost', 'request lost' as const],
  ['an answer that is lost', 'answer lost' as const],
  ['an answer that breaks off', 'answer cut' as const],
  ['a problem that is worth a retry', unavailable()],
  ["a gateway's own outage", { status: 502, body: '<html>Bad Gateway</html>' }],
  ["a gateway's own throttling", { status: 429, body: '{"message":"Too Many Requests"}' }],
])('%s is made good by the next attempt', async (_what, fault) => {
  proxy.inject(fault)
  expect((await settings.GET(apiKeys)).data.data.length).toBeGreaterThan(0)
  expect(proxy.requests).toHaveLength(2)
})

test('a change is sent whole with each attempt, under the credential', async () => {
  proxy.inject('request lost', 'answer cut')
  const { data } = await settings.PATCH('/api/v2/settings/policies', { body: { serving_policy: 'cloud_first' } })
  expect(data.serving_policy).toBe('cloud_first')
  expect(proxy.requests.map(({ headers }) => headers.authorization)).toEqual(Array(3).fill(`Bearer ${admin}`))
})

test('a permanent error is not retried', async () => {
  proxy.inject()
  await failureOf(settings.POST(apiKeys, { body: { name: '', scopes: [] } }))
  await failureOf(settings.GET(`${apiKeys}/{key_id}`, { params: { path: { key_id: 'key_none' } } }))
  await failureOf(createSettingsClient({ baseUrl: proxy.url, credential: 'no-key' }).GET(apiKeys))
  expect(proxy.requests).toHaveLength(3)
})

test('a redirect is not followed', async () => {
  proxy.inject({ status: 302, headers: { location: `${proxy.url}${apiKeys}` } })
  expect(await failureOf(settings.GET(apiKeys))).toMatchObject({ code: 'unexpected_answer', status: 302 })
  expect(proxy.requests).toHaveLength(1)
})

const problemOf = (body: unknown) => ({ ...unavailable(), status: 400, body: JSON.stringify(body) })
test.each([
  ['a page of the network, though it be a 200', { status: 200, body: '<html>Sign in to the network</html>' }, 200],
  ['a success that says nothing', { status: 200 }, 200],
  ["a gateway's own problem", problemOf({ type: 'about:blank', title: 'Bad Request', status: 400 }), 400],
  ['a problem that is none', problemOf(null), 400],
])('%s is distinguished from an answer of the service', async (_what, fault, status) => {
  proxy.inject(fault)
  expect(await failureOf(settings.GET(apiKeys))).toMatchObject({ code: 'unexpected_answer', status, errors: [] })
  expect(proxy.requests).toHaveLength(1)
})

describe("API Gateway's own answers", () => {
  const own = (status: number, message: string) => ({
    status,
    headers: { 'apigw-requestid': 'RL2XYiwjPHcEMEQ=' },
    body: JSON.stringify({ message }),
  })

  test.each([
    [429, 'Too Many Requests', 'rate_limited'],
    [500, 'Internal Server Error', 'server_error'],
    [503, 'Service Unavailable', 'service_unavailable'],
  ])('a %i is retried with back-off, then thrown with the code of that status', async (status, message, code) => {
    proxy.inject(own(status, message), own(status, message))
    const failure = await failureOf(clientWith({ attempts: 2 }).GET(apiKeys))
    expect(failure).toBeInstanceOf(ProblemError)
    expect(failure).toMatchObject({ status, code, title: message, retryable: true, attempts: 2 })
    expect(failure).toMatchObject({ requestId: 'RL2XYiwjPHcEMEQ=', retryAfterMs: undefined, errors: [] })
    proxy.inject(own(status, message))
    expect((await settings.GET(apiKeys)).status).toBe(200)
  })

  test('a 413 is thrown at once', async () => {
    proxy.inject(own(413, 'Request Entity Too Large'))
    const failure = await failureOf(settings.POST(apiKeys, { body: { name: 'large', scopes: ['keys:read'] } }))
    expect(failure).toMatchObject({ status: 413, code: 'payload_too_large', retryable: false, attempts: 1 })
    expect(String(failure)).toContain('Request Entity Too Large')
  })

  test.each([
    ['a 404', own(404, 'Not Found'), 404],
    ['a 431', own(431, 'Request Header Fields Too Large'), 431],
    ['a 403', own(403, 'Forbidden'), 403],
  ])('%s does not pass for an answer of the service', async (_what, fault, status) => {
    proxy.inject(fault)
    expect(await failureOf(settings.GET(apiKeys))).toMatchObject({ code: 'unexpected_answer', status, attempts: 1 })
  })

  test('Retry-After is respected where a proxy adds it', async () => {
    const fault = own(429, 'Too Many Requests')
    proxy.inject({ ...fault, headers: { ...fault.headers, 'retry-after': '120' } })
    expect(await failureOf(settings.GET(apiKeys))).toMatchObject({ attempts: 1, retryAfterMs: 120_000 })
  })

  test('those of the local gateway are read alike', async () => {
    const server = createServer(
      createGateway({
        load: async () => async () => Promise.reject(new Error('broken')),
        throttle: { rateLimit: 1, burstLimit: 1 },
      }),
    ).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const printed = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const client = createSettingsClient({ baseUrl, credential: admin, retries: { attempts: 1 } })
    expect(await failureOf(client.GET(apiKeys))).toMatchObject({ code: 'server_error', requestId: expect.any(String) })
    expect(await failureOf(client.GET(apiKeys))).toMatchObject({ code: 'rate_limited', status: 429 })
    expect(printed).toHaveBeenCalledOnce()
    printed.mockRestore()
    server.closeAllConnections()
    server.close()
  })
})

test.each(['www-authenticate', 'x-amzn-remapped-www-authenticate'])(
  'the challenge of a 401 is read from %s',
  async (name) => {
    const challenge = 'Bearer realm="octomil", error="invalid_token"'
    proxy.inject({ status: 401, headers: { [name]: challenge } })
    expect(await failureOf(settings.GET(apiKeys))).toMatchObject({ status: 401, challenge })
  },
)

test("the service's own 401 has a challenge, and other problems have none", async () => {
  proxy.inject()
  const refused = await failureOf(createSettingsClient({ baseUrl: proxy.url, credential: 'no-key' }).GET(apiKeys))
  expect(refused).toMatchObject({ status: 401, challenge: expect.stringMatching(/^Bearer /) })
  expect(await failureOf(settings.POST(apiKeys, { body: { name: '', scopes: [] } }))).toMatchObject({
    status: 400,
    challenge: undefined,
  })
})

test('the status of a problem is that of its answer, for any body', async () => {
  proxy.inject({ ...unavailable(), status: 504 })
  const failure = await failureOf(clientWith({ attempts: 1 }).GET(apiKeys))
  expect(failure).toMatchObject({ code: 'service_unavailable', status: 504 })
})

test('attempts are bounded, and the error says how many there were', async () => {
  proxy.inject('request lost', 'answer lost', 'answer cut', 'request lost')
  const failure = await failureOf(settings.GET(apiKeys))
  expect(failure).toBeInstanceOf(NoAnswerError)
  expect(failure).toMatchObject({ attempts: 4, cause: expect.any(Error) })
  expect(proxy.requests).toHaveLength(4)
  proxy.inject(unavailable(), unavailable())
  const problem = await failureOf(clientWith({ attempts: 2 }).GET(apiKeys))
  expect(problem).toBeInstanceOf(ProblemError)
  expect(problem).toMatchObject({ code: 'service_unavailable', attempts: 2, requestId: '01JD3V7K3Q9X5M2N8R4T6W0Y1Z' })
})

test('no attempt comes sooner than Retry-After asks', async () => {
  proxy.inject(unavailable({ 'retry-after': '1' }))
  await settings.GET(apiKeys)
  const [first, second] = proxy.requests
  expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(990)
})

test('a Retry-After that is a date is understood, and one beyond the bound is not waited for', async () => {
  proxy.inject(unavailable({ 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() }))
  const problem = (await failureOf(settings.GET(apiKeys))) as ProblemError
  expect(problem.attempts).toBe(1)
  expect(problem.retryAfterMs).toBeGreaterThan(3_500_000)
})

test('a service that says nothing is given up, and asked again', async () => {
  proxy.inject('silence')
  expect((await clientWith({ attemptTimeoutMs: 1_000 }).GET(apiKeys)).status).toBe(200)
  proxy.inject('silence')
  const failure = await failureOf(clientWith({ attemptTimeoutMs: 50, attempts: 1 }).GET(apiKeys))
  expect(failure).toBeInstanceOf(NoAnswerError)
})

test('a caller who gives up is not kept waiting by a pause, and nothing more is sent', async () => {
  proxy.inject(unavailable({ 'retry-after': '30' }))
  const giveUp = new AbortController()
  const call = failureOf(settings.GET(apiKeys, { signal: giveUp.signal }))
  await expect.poll(() => proxy.requests.length).toBe(1)
  giveUp.abort(new Error('enough'))
  expect(await call).toEqual(new Error('enough'))
  expect(proxy.requests).toHaveLength(1)
})

test('a DELETE whose answer is lost gets the error that nothing is left, with the number of attempts', async () => {
  const { data } = await settings.POST(integrations, { body: { type: 'slack', name: 'once' } })
  proxy.inject('answer lost')
  const params = { path: { integration_id: data.id } }
  const failure = await failureOf(settings.DELETE(`${integrations}/{integration_id}`, { params }))
  expect(failure).toMatchObject({ code: 'not_found', attempts: 2 })
})
