/** The verdict on a key that an answer leads to, and its text for people. */
import dns from 'node:dns'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { attempt, upstreamProblem } from '../../../shared/providers/verify.ts'
import { Secret } from '../../../shared/secrets/secret.ts'
import { json, raw, reset, startProvider, type TestProvider } from '../../support/provider.ts'

const key = 'sk-Verdict_7Hq2Lm9Xc4Vb1Nz8/+Kd5'

let server: TestProvider
beforeEach(async () => {
  server = await startProvider()
})
afterEach(() => {
  vi.unstubAllEnvs()
  server.close()
})

const tryIt = () => attempt({ provider: 'openai_compatible', base_url: `${server.url}/v1` }, new Secret(key))
const openAiError = (message: string, code: string | null = null, type = 'invalid_request_error') => ({
  error: { message, type, param: null, code },
})

describe('the verdict', () => {
  const quota = 'You exceeded your current quota, please check your plan and billing details.'
  test.each<[string, string, number, unknown, boolean]>([
    ['401', 'invalid_credential', 401, openAiError('Incorrect API key provided', 'invalid_api_key'), false],
    ['403', 'insufficient_permission', 403, openAiError('You have insufficient permissions for this operation'), false],
    ['402', 'quota_exhausted', 402, { error: { message: 'Insufficient Balance' } }, false],
    ['429 of OpenAI without quota', 'quota_exhausted', 429, openAiError(quota, 'insufficient_quota'), false],
    ['429 by type', 'quota_exhausted', 429, openAiError('No.', null, 'insufficient_quota'), false],
    ['429 of billing', 'quota_exhausted', 429, openAiError('Billing hard limit', 'billing_hard_limit_reached'), false],
    ['429 of rate', 'rate_limited', 429, openAiError('Rate limit reached for requests', 'rate_limit_exceeded'), true],
    [
      '429 of Anthropic',
      'rate_limited',
      429,
      { type: 'error', error: { type: 'rate_limit_error', message: 'x' } },
      true,
    ],
    ['429 without a word', 'rate_limited', 429, '', true],
    ['500', 'provider_error', 500, openAiError('The server had an error'), true],
    ['502', 'provider_error', 502, 'Bad gateway', true],
    ['503', 'provider_error', 503, openAiError('Overloaded'), true],
    [
      '529 of Anthropic',
      'provider_error',
      529,
      { type: 'error', error: { type: 'overloaded_error', message: 'x' } },
      true,
    ],
    ['400', 'provider_error', 400, openAiError('Bad request'), false],
    ['404', 'provider_error', 404, openAiError('Unknown request URL'), false],
    ['418', 'provider_error', 418, {}, false],
    ['204', 'provider_error', 204, '', false],
    ['201', 'provider_error', 201, { data: [] }, false],
    ['301', 'provider_error', 301, '', false],
    ['304', 'provider_error', 304, '', false],
  ])('on %s is %s', async (_what, verdict, status, body, retryable) => {
    server.answer(json(body, status, status === 301 ? { location: '/elsewhere' } : {}))
    const attempted = await tryIt()
    expect(attempted).toMatchObject({
      verdict,
      status,
      models: null,
      error: expect.stringContaining(`answered ${status}`),
    })
    const problem = upstreamProblem(attempted)
    expect([problem.code, problem.message, problem.details.retryable]).toEqual([
      'upstream_error',
      attempted.error,
      retryable,
    ])
    expect(server.requests.length).toBe(1)
  })

  test.each([
    ['HTML', '<!doctype html><title>Sign in</title>', 'text/html'],
    ['no JSON', '{"data":[', 'application/json'],
    ['nothing', '', ''],
    ['compressed JSON', Buffer.from('1f8b0800', 'hex'), 'application/json'],
    ['JSON of another shape', '{"models":["a"]}', 'application/json'],
  ])('on 200 with %s is provider_error, and the error names the media type', async (_what, body, type) => {
    server.answer(raw(body, 200, type ? { 'content-type': type } : {}))
    const attempted = await tryIt()
    expect(attempted).toMatchObject({ verdict: 'provider_error', status: 200, models: null })
    expect(attempted.error).toBe(
      `The provider answered 200: a response that is not a list of models (${type || 'no content type'})`,
    )
    expect(upstreamProblem(attempted).details.retryable).toBe(false)
  })

  test('on an answer over the cap is provider_error, with the status that it had', async () => {
    const entries = Array.from({ length: 40_000 }, (_, index) => ({
      id: `model-${index}`,
      object: 'model',
      x: 'y'.repeat(20),
    }))
    expect(JSON.stringify(entries).length).toBeGreaterThan(2 * 1024 * 1024)
    server.answer(json({ data: entries }))
    expect(await tryIt()).toMatchObject({
      verdict: 'provider_error',
      models: null,
      error: expect.stringMatching(/larger/),
    })
    expect((await tryIt()).status).toBe(200)
  })

  test('on a 503 over the cap is one to try again: it is a 5xx', async () => {
    server.answer(raw('x'.repeat(2 * 1024 * 1024), 503))
    expect(upstreamProblem(await tryIt()).details.retryable).toBe(true)
  })

  test('without an answer is unreachable, and to be tried again', async () => {
    server.answer(reset)
    const attempted = await tryIt()
    expect(attempted).toMatchObject({ verdict: 'unreachable', status: null, models: null })
    expect(upstreamProblem(attempted).details.retryable).toBe(true)
  })

  test('of a blocked address is unreachable, with the reason', async () => {
    vi.stubEnv('OUTBOUND_ALLOWED_CIDRS', undefined)
    expect(await tryIt()).toMatchObject({
      verdict: 'unreachable',
      status: null,
      error: 'The URL is not allowed: it must not name a private, local or reserved address.',
    })
    expect(server.requests).toEqual([])
  })
})

describe('a provider’s own words', () => {
  test.each<[string, unknown, string]>([
    ['error.message', { error: { message: 'the words' } }, 'the words'],
    ['error', { error: 'the words' }, 'the words'],
    ['message', { message: 'the words' }, 'the words'],
    ['detail', { detail: 'the words' }, 'the words'],
    ['a list of errors', [{ error: { message: 'the words' } }], 'the words'],
    ['base_resp.status_msg', { base_resp: { status_code: 1, status_msg: 'the words' } }, 'the words'],
    ['many lines', { error: { message: 'the\r\n\twords' } }, 'the words'],
    ['nothing', {}, 'no readable reason'],
    ['an empty text', { error: '' }, 'no readable reason'],
  ])('in %s are quoted', async (_where, body, words) => {
    server.answer(json(body, 400))
    expect((await tryIt()).error).toBe(`The provider answered 400: ${words}`)
  })

  test('and everything around them are at most 500 characters in one line', async () => {
    for (const listener of [
      json({ error: { message: 'word\n'.repeat(1000) } }, 400),
      json({ error: 'x'.repeat(5000) }, 500),
      raw('<html>', 200, { 'content-type': `text/${'x'.repeat(5000)}` }),
    ]) {
      server.answer(listener)
      const { error } = await tryIt()
      expect(error?.length).toBeGreaterThan(400)
      expect(error?.length).toBeLessThanOrEqual(500)
      expect(error).not.toMatch(/[\r\n]/)
    }
  })

  test('and ours about a host with a very long name are at most 500 characters', async () => {
    vi.spyOn(dns, 'lookup').mockImplementation(((
      hostname: string,
      _options: object,
      callback: (error: Error) => void,
      // The guard uses one of the overloads.
    ) => callback(Object.assign(new Error(hostname), { code: 'ENOTFOUND' }))) as unknown as typeof dns.lookup)
    const base_url = `http://${'long.'.repeat(390)}example.com/v1`
    const { verdict, error } = await attempt({ provider: 'openai_compatible', base_url }, new Secret(key))
    vi.restoreAllMocks()
    expect(verdict).toBe('unreachable')
    expect(error?.length).toBeLessThanOrEqual(500)
  })

  test('nested as deep as a body can be are looked for without harm', async () => {
    server.answer(raw(`${'{"error":'.repeat(50_000)}1${'}'.repeat(50_000)}`, 400))
    expect((await tryIt()).verdict).toBe('provider_error')
    server.answer(raw(`${'['.repeat(200_000)}${']'.repeat(200_000)}`, 400))
    expect((await tryIt()).verdict).toBe('provider_error')
  })

  test.each<[string, (secret: string) => string]>([
    ['whole', (secret) => secret],
    ['in capitals', (secret) => secret.toUpperCase()],
    ['URL-encoded', (secret) => encodeURIComponent(secret)],
    ['cut at the end', (secret) => secret.slice(0, 12)],
    ['cut at the start', (secret) => `…${secret.slice(-12)}`],
    ['starred out', (secret) => `${secret.slice(0, 8)}****************${secret.slice(-4)}`],
    ['with its scheme', (secret) => `Bearer ${secret}`],
    ['in a URL', (secret) => `https://api.example.com/v1?key=${secret}&x=1`],
  ])('that repeat the key %s lose it', async (_how, spell) => {
    for (const body of [
      { error: { message: `Incorrect API key provided: ${spell(key)}. Find yours at https://example.com/keys.` } },
      { error: `"${spell(key)}" is no key` },
    ]) {
      server.answer(json(body, 401))
      const { error } = await tryIt()
      expect(error).toContain('[secret]')
      const shown = (error ?? '').replaceAll('[secret]', '').toLowerCase()
      for (let at = 0; at + 6 <= key.length; at++) expect(shown).not.toContain(key.slice(at, at + 6).toLowerCase())
    }
    // A content type is the provider’s to choose, too.
    server.answer(raw('x', 200, { 'content-type': encodeURIComponent(spell(key)).slice(0, 200) }))
    expect((await tryIt()).error).not.toContain(key.slice(3, 9))
  })
})
