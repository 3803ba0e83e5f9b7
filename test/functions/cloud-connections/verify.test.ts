/** A connection says at once whether its key works, and why not, against servers that play the public APIs. */
import dns from 'node:dns'
import { readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { makeBusyOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { json, openAiModels, raw, reset, startProvider, type TestProvider } from '../../support/provider.ts'
import { connectionsOf } from './connections.ts'

const pem = (name: string) =>
  readFileSync(join(import.meta.dirname, '../../shared/outbound', `provider-test.${name}.pem`), 'utf8')

let on: ReturnType<typeof connectionsOf>
let openai: TestProvider
let anthropic: TestProvider
let google: TestProvider
beforeAll(async () => {
  on = connectionsOf(await makeBusyOrg())
  openai = await startProvider()
  anthropic = await startProvider()
  google = await startProvider()
  process.env.PROVIDER_BASE_URLS = `openai=${openai.url}/v1,anthropic=${anthropic.url}/v1,google=${google.url}/v1beta`
})
afterEach(() => vi.restoreAllMocks())
afterAll(() => {
  delete process.env.PROVIDER_BASE_URLS
  for (const provider of [openai, anthropic, google]) provider.close()
})

const key = 'sk-proj-Zx81Kq07Wm53Tn29Rb64'

/** Asserts that an answer shows only the mask of the key. */
function expectNothingOfKey(text: string): void {
  const lower = text.toLowerCase()
  for (let at = 0; at + 6 <= key.length; at++) expect(lower).not.toContain(key.slice(at, at + 6).toLowerCase())
}

const openAiError = (message: string, code: string) => ({ error: { message, type: 'x', param: null, code } })
const anthropicError = (type: string, message: string) => ({ type: 'error', error: { type, message } })
const googleError = (code: number, status: string, message: string) => ({ error: { code, status, message } })
const cases: [string, 'openai' | 'anthropic' | 'google', RequestListener, string, RegExp][] = [
  [
    'OpenAI, wrong key',
    'openai',
    json(openAiError(`Incorrect API key provided: ${key}.`, 'invalid_api_key'), 401),
    'invalid_credential',
    /^OpenAI answered 401: Incorrect API key provided: \[secret\]$/,
  ],
  [
    'OpenAI, no permission',
    'openai',
    json(openAiError('You have insufficient permissions. Missing scopes: api.model.read', 'x'), 403),
    'insufficient_permission',
    /^OpenAI answered 403: You have insufficient permissions/,
  ],
  [
    'OpenAI, no quota',
    'openai',
    json(openAiError('You exceeded your current quota', 'insufficient_quota'), 429),
    'quota_exhausted',
    /^OpenAI answered 429: You exceeded/,
  ],
  [
    'OpenAI, too fast',
    'openai',
    json(openAiError('Rate limit reached', 'rate_limit_exceeded'), 429),
    'rate_limited',
    /^OpenAI answered 429: Rate limit reached$/,
  ],
  [
    'OpenAI, down',
    'openai',
    json(openAiError('The server had an error', 'server_error'), 500),
    'provider_error',
    /^OpenAI answered 500: The server had an error$/,
  ],
  [
    'OpenAI, a page',
    'openai',
    raw('<html>Maintenance</html>', 200, { 'content-type': 'text/html' }),
    'provider_error',
    /^OpenAI answered 200: a response that is not a list of models \(text\/html\)$/,
  ],
  ['OpenAI, other JSON', 'openai', json({ ok: true }), 'provider_error', /not a list of models/],
  [
    'OpenAI, 2 MiB',
    'openai',
    json({ data: [{ id: 'x'.repeat(2 * 1024 * 1024) }] }),
    'provider_error',
    /^The answer is larger than 1024 KiB\.$/,
  ],
  ['OpenAI, reset', 'openai', reset, 'unreachable', /^127\.0\.0\.1:\d+ closed the connection before it answered\.$/],
  [
    'Anthropic, wrong key',
    'anthropic',
    json(anthropicError('authentication_error', 'invalid x-api-key'), 401),
    'invalid_credential',
    /^Anthropic answered 401: invalid x-api-key$/,
  ],
  [
    'Anthropic, no permission',
    'anthropic',
    json(anthropicError('permission_error', 'No permission'), 403),
    'insufficient_permission',
    /^Anthropic answered 403: No permission$/,
  ],
  [
    'Anthropic, no money',
    'anthropic',
    json(anthropicError('billing_error', 'Your credit balance is too low'), 402),
    'quota_exhausted',
    /^Anthropic answered 402: Your credit balance/,
  ],
  [
    'Anthropic, too fast',
    'anthropic',
    json(anthropicError('rate_limit_error', 'Slow down'), 429),
    'rate_limited',
    /^Anthropic answered 429: Slow down$/,
  ],
  [
    'Anthropic, overloaded',
    'anthropic',
    json(anthropicError('overloaded_error', 'Overloaded'), 529),
    'provider_error',
    /^Anthropic answered 529: Overloaded$/,
  ],
  [
    'Google, wrong key',
    'google',
    json(googleError(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.'), 400),
    'invalid_credential',
    /^Google Gemini answered 400: API key not valid/,
  ],
  [
    'Google, no permission',
    'google',
    json(googleError(403, 'PERMISSION_DENIED', 'API is disabled'), 403),
    'insufficient_permission',
    /^Google Gemini answered 403: API is disabled$/,
  ],
  [
    'Google, too fast',
    'google',
    json(googleError(429, 'RESOURCE_EXHAUSTED', 'Resource has been exhausted'), 429),
    'rate_limited',
    /^Google Gemini answered 429: /,
  ],
  [
    'Google, down',
    'google',
    json(googleError(503, 'UNAVAILABLE', 'The model is overloaded.'), 503),
    'provider_error',
    /^Google Gemini answered 503: The model is overloaded\.$/,
  ],
]

const servers = () => ({ openai, anthropic, google })

describe('creating a connection', () => {
  test.each([
    ['openai', openAiModels, '/v1/models', { authorization: `Bearer ${key}` }],
    [
      'anthropic',
      json({ data: [{ type: 'model', id: 'claude' }], has_more: false }),
      '/v1/models?limit=1000',
      { 'x-api-key': key, 'anthropic-version': '2023-06-01' },
    ],
    [
      'google',
      json({ models: [{ name: 'models/gemini' }] }),
      '/v1beta/models?pageSize=1000',
      { 'x-goog-api-key': key },
    ],
  ] as const)(
    'asks %s once, with the key in its header, and is verified',
    async (provider, listener, path, headers) => {
      const server = servers()[provider]
      server.requests.length = 0
      server.answer(listener)
      const response = await on.create({ provider, name: 'prod', api_key: key })
      expect(response.status).toBe(201)
      expect(response.body).toEqual({
        id: expect.stringMatching(/^conn_[0-9a-z]{26}$/),
        provider,
        name: 'prod',
        base_url: null,
        enabled: true,
        ...{ priority: 100, weight: 1, rpm_limit: null, tpm_limit: null },
        masked: '…Rb64',
        key_version: 1,
        verification_status: 'verified',
        verification_error: null,
        last_attempt_at: response.body.created_at,
        last_verified_at: response.body.created_at,
        verification_latency_ms: expect.any(Number),
        error_count: 0,
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        updated_at: response.body.created_at,
      })
      expect(response.headers.location).toBe(`/api/v2/settings/cloud-connections/${response.body.id}`)
      const got = await on.get(response.body.id)
      expect([got.text, got.headers.etag]).toEqual([response.text, response.headers.etag])
      expect(server.requests).toEqual([{ method: 'GET', path, headers: expect.objectContaining(headers) }])
      expect(server.requests[0]?.path).not.toContain(key)
    },
  )

  test.each(cases)('says why it is not verified: %s', async (_what, provider, listener, status, words) => {
    servers()[provider].answer(listener)
    const response = await on.create({ provider, name: 'prod', api_key: key })
    expect(response.status).toBe(201)
    expect(response.body).toMatchObject({
      verification_status: status,
      verification_error: expect.stringMatching(words),
      last_attempt_at: response.body.created_at,
      last_verified_at: null,
      verification_latency_ms: null,
    })
    expectNothingOfKey(response.text)
    expect((await on.get(response.body.id)).text).toBe(response.text)
  })

  test('is verified by an empty list', async () => {
    openai.answer(json({ object: 'list', data: [] }))
    const { body } = await on.create({ provider: 'openai', name: 'new', api_key: key })
    expect(body).toMatchObject({ verification_status: 'verified', verification_error: null })
    expect((await on.models(body.id)).body).toEqual({ models: [] })
    expect((await on.test(body.id)).body).toMatchObject({ success: true, model_count: 0 })
  })

  test('is unreachable after a refused connection, for an unknown name, and for untrusted TLS', async () => {
    const gone = await startProvider()
    gone.close()
    const secure = await startProvider(openAiModels, { key: pem('key'), cert: pem('cert') })
    vi.spyOn(dns, 'lookup').mockImplementation(((
      hostname: string,
      _options: object,
      callback: (error: Error) => void,
    ) =>
      // The system's answer for an unknown name, without a DNS query. The guard uses one of the overloads.
      callback(Object.assign(new Error(hostname), { code: 'ENOTFOUND' }))) as unknown as typeof dns.lookup)
    for (const [base_url, words] of [
      [`${gone.url}/v1`, /refused the connection/],
      ['https://no-such-host.invalid/v1', /^The name no-such-host\.invalid was not found\.$/],
      [`${secure.url}/v1`, /^No secure connection to .*SELF_SIGNED/],
    ] as const) {
      const { body } = await on.create({ provider: 'openai_compatible', name: 'x', api_key: key, base_url })
      expect(body).toMatchObject({
        verification_status: 'unreachable',
        verification_error: expect.stringMatching(words),
      })
    }
    expect(secure.requests).toEqual([])
    secure.close()
  })

  test('follows no redirect', async () => {
    const other = await startProvider()
    for (const location of ['/elsewhere', `${other.url}/v1/models`]) {
      openai.answer(raw('', 302, { location }))
      const { body } = await on.create({ provider: 'openai', name: 'x', api_key: key })
      expect(body).toMatchObject({
        verification_status: 'provider_error',
        verification_error: expect.stringMatching(/302/),
      })
    }
    expect(other.requests).toEqual([])
    other.close()
  })
})

describe('listing models', () => {
  test('answers ids sorted and once, and does not touch the record', async () => {
    openai.answer(openAiModels)
    const made = await on.make({ provider: 'openai', name: 'prod', api_key: key })
    expect((await on.models(made.id)).body).toEqual({ models: ['model-a', 'model-b'] })
    expect((await on.get(made.id)).headers.etag).toBe(made.etag)
  })

  test.each(cases)('is 502 with the reason: %s', async (_what, provider, listener, status, words) => {
    const server = servers()[provider]
    server.answer(listener)
    const made = await on.make({ provider, name: 'prod', api_key: key })
    const response = await on.models(made.id)
    expectProblem(response, 'upstream_error')
    expect(response.body.detail).toMatch(words)
    const isTransient =
      ['unreachable', 'rate_limited'].includes(status) || / answered 5\d\d: /.test(response.body.detail)
    expect(response.body.retryable).toBe(isTransient)
    expectNothingOfKey(response.text)
    expect((await on.get(made.id)).headers.etag).toBe(made.etag)
  })
})
