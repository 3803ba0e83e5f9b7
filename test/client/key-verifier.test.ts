/** The verifier of keys against the real service: its bound on revocations, its cache, and failures of the service. */
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createKeyVerifier, createSettingsClient, type SettingsClient } from '../../client/src/index.ts'
import { generateRawKey } from '../../shared/auth/api-key.ts'
import { openTarget, orgsOf, type Target } from '../http/target.ts'
import { problemOf } from '../support/problems.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'

const apiKeys = '/api/v2/settings/api-keys'
let target: Target
let settings: SettingsClient
let proxy: FaultProxy

beforeAll(async () => {
  target = await openTarget()
  settings = createSettingsClient({ baseUrl: target.url, credential: orgsOf(target).acme.tokens.owner })
  proxy = await startFaultProxy(target.url)
})
afterAll(() => proxy.close())

/** A clock that tests move; it stands still otherwise. */
let clockMs = 0
const now = () => clockMs
const pass = (seconds: number) => {
  clockMs += seconds * 1000
}

const verifierOf = (more: Partial<Parameters<typeof createKeyVerifier>[0]> = {}) =>
  createKeyVerifier({
    baseUrl: proxy.url,
    credential: target.serviceKey,
    retries: { attempts: 1, attemptTimeoutMs: 1000 },
    now,
    ...more,
  })
let verifier: ReturnType<typeof verifierOf>
beforeEach(() => {
  verifier = verifierOf()
  proxy.requests.length = 0
})

const makeKey = async (body: object = {}) => {
  const { data } = await settings.POST(apiKeys, { body: { name: 'presented', scopes: ['keys:read'], ...body } })
  return { id: data.id, token: data.api_key ?? '' }
}
const path = (key_id: string) => ({ params: { path: { key_id } } })
const revoke = (id: string) => settings.POST(`${apiKeys}/{key_id}/revoke`, path(id))
const calls = () => proxy.requests.length
const down = { status: 503, body: '{"message":"Service Unavailable"}' }

describe('an answer is remembered', () => {
  test('for as long as the service allows, and a revocation arrives with the first call after it', async () => {
    const { id, token } = await makeKey()
    const first = await verifier.verify(token)
    expect(first).toMatchObject({ active: true, permitted: true, stale: false, key_id: id, max_age_seconds: 30 })
    await revoke(id)
    pass(29.999)
    expect(await verifier.verify(token)).toEqual(first)
    expect(calls()).toBe(1)
    pass(0.001)
    expect(await verifier.verify(token)).toEqual({ active: false, reason: 'revoked' })
    expect(calls()).toBe(2)
  })

  test('from the time of the question: a slow answer does not move the bound', async () => {
    const { token } = await makeKey()
    const slow = verifierOf({
      fetch: async (request) => {
        const answer = await fetch(request)
        pass(20)
        return answer
      },
    })
    await slow.verify(token)
    pass(10)
    await slow.verify(token)
    expect(calls()).toBe(2)
  })

  test('no longer than the rest of the key’s life', async () => {
    const { token } = await makeKey({ expires_at: new Date(Date.now() + 10_500).toISOString() })
    await verifier.verify(token)
    pass(10)
    await verifier.verify(token)
    expect(calls()).toBe(2)
  })

  test('only briefly if the key is not usable', async () => {
    const { rawKey } = generateRawKey('org', 'live')
    for (const seconds of [0, 4.9, 0.2]) {
      pass(seconds)
      expect(await verifier.verify(rawKey)).toEqual({ active: false, reason: 'unknown' })
    }
    expect(calls()).toBe(2)
  })

  test('for a bounded number of keys: the oldest goes first, and unknown tokens displace no usable key', async () => {
    const small = verifierOf({ maxKeys: 2 })
    const [first, second, third] = [await makeKey(), await makeKey(), await makeKey()]
    await small.verify(first.token)
    for (let index = 0; index < 5; index++) await small.verify(generateRawKey('org', 'live').rawKey)
    await small.verify(first.token)
    expect(calls()).toBe(6)
    await small.verify(second.token)
    await small.verify(third.token)
    await small.verify(second.token)
    expect(calls()).toBe(8)
    await small.verify(first.token)
    expect(calls()).toBe(9)
  })
})

describe('calls', () => {
  test('of a hundred at once about one key one reaches the service', async () => {
    const { token } = await makeKey()
    const verdicts = await Promise.all(Array.from({ length: 100 }, () => verifier.verify(token)))
    expect(verdicts.every(({ active }) => active)).toBe(true)
    expect(calls()).toBe(1)
  })

  test('share a failure too, and the next call asks again', async () => {
    const { token } = await makeKey()
    proxy.inject(down)
    const failed = await Promise.allSettled(Array.from({ length: 20 }, () => verifier.verify(token)))
    expect(failed.every(({ status }) => status === 'rejected')).toBe(true)
    expect(calls()).toBe(1)
    expect((await verifier.verify(token)).active).toBe(true)
  })

  test('are not needed for a token that is malformed, a JWT or a service key', async () => {
    const { rawKey } = generateRawKey('app', 'test')
    const typo = rawKey.slice(0, -1) + (rawKey.endsWith('0') ? '1' : '0')
    for (const token of [
      '',
      'garbage',
      typo,
      `${rawKey} `,
      rawKey.slice(0, -1),
      rawKey.toUpperCase(),
      'x'.repeat(300),
      'a.b.c',
    ])
      expect(await verifier.verify(token)).toEqual({ active: false, reason: 'malformed' })
    for (const token of [orgsOf(target).acme.tokens.owner, target.serviceKey])
      expect(await verifier.verify(token)).toEqual({ active: false, reason: 'unknown' })
    expect(calls()).toBe(0)
  })

  test('ask nothing for other scopes and origins of a known key', async () => {
    const { data } = await settings.POST('/api/v2/settings/publishable-keys', {
      body: { name: 'web', environment: 'test', allowed_origins: ['https://a.example', 'http://localhost:*'] },
    })
    const token = data.api_key ?? ''
    const judge = async (request: object) => {
      const verdict = await verifier.verify(token, request)
      return verdict.active ? (verdict.denied_by ?? []) : verdict.reason
    }
    expect(await judge({ requiredScope: 'models:read', origin: 'https://a.example' })).toEqual([])
    expect(await judge({ origin: 'http://localhost:8080' })).toEqual([])
    expect(await judge({ origin: 'https://b.example' })).toEqual(['origin'])
    expect(await judge({ requiredScope: 'keys:read', origin: 'https://b.example' })).toEqual(['scope', 'origin'])
    expect(await judge({})).toEqual([])
    expect(calls()).toBe(1)
  })

  test('judge scopes and origins as the service does', async () => {
    const { data } = await settings.POST('/api/v2/settings/publishable-keys', {
      body: { name: 'web', environment: 'test', allowed_origins: ['https://a.example:8443', 'http://localhost:3000'] },
    })
    const token = data.api_key ?? ''
    const service = createSettingsClient({ baseUrl: target.url, credential: target.serviceKey })
    for (const required_scope of ['models:read', 'audit:read'] as const) {
      for (const origin of ['https://a.example:8443', 'https://a.example', 'http://localhost:3000', 'null', '']) {
        const asked = await service.POST(`${apiKeys}/introspect`, { body: { token, required_scope, origin } })
        const verdict = await verifier.verify(token, { requiredScope: required_scope, origin })
        if (!asked.data.active || !verdict.active) throw new Error('the key must be usable')
        expect([origin, verdict.denied_by]).toEqual([origin, asked.data.denied_by])
      }
    }
  })

  test('see the keys of one organization only, where it is named', async () => {
    const { token } = await makeKey()
    const { acme, globex } = orgsOf(target)
    expect((await verifierOf({ orgId: acme.org_id }).verify(token)).active).toBe(true)
    expect(await verifierOf({ orgId: globex.org_id }).verify(token)).toEqual({ active: false, reason: 'unknown' })
  })

  test('show what include asks for', async () => {
    const { token } = await makeKey()
    expect(await verifierOf({ include: ['policies'] }).verify(token)).toMatchObject({
      policies: { privacy_mode: expect.any(String) },
    })
  })
})

describe('when the service fails', () => {
  test.each([
    ['answers 503', down],
    ['limits the verifier', { status: 429, body: '{"message":"Too Many Requests"}' }],
    ['loses the request', 'request lost'],
    ['cuts its answer', 'answer cut'],
    ['is silent', 'silence'],
  ] as const)('and %s, the last answer serves for 5 minutes and no longer', async (_how, fault) => {
    const { token } = await makeKey()
    const first = await verifier.verify(token, { requiredScope: 'keys:read' })
    pass(299.999)
    proxy.inject(fault)
    expect(await verifier.verify(token, { requiredScope: 'audit:read' })).toEqual({
      ...first,
      permitted: false,
      denied_by: ['scope'],
      stale: true,
    })
    pass(0.001)
    proxy.inject(fault)
    await expect(verifier.verify(token)).rejects.toThrow()
  })

  test('the next call asks again, and a revocation is seen at once', async () => {
    const { id, token } = await makeKey()
    await verifier.verify(token)
    pass(60)
    proxy.inject(down)
    expect(await verifier.verify(token)).toMatchObject({ active: true, stale: true })
    await revoke(id)
    expect(await verifier.verify(token)).toEqual({ active: false, reason: 'revoked' })
    pass(60)
    proxy.inject(down)
    await expect(verifier.verify(token)).rejects.toThrow()
  })

  test('no key outlives its own end', async () => {
    const { token } = await makeKey({ expires_at: new Date(Date.now() + 60_000).toISOString() })
    await verifier.verify(token)
    pass(50)
    proxy.inject(down)
    expect(await verifier.verify(token)).toMatchObject({ stale: true })
    pass(11)
    proxy.inject(down)
    await expect(verifier.verify(token)).rejects.toThrow()
  })

  test('a refusal of the verifier itself is no failure: it is thrown, however fresh the last answer', async () => {
    const { token } = await makeKey()
    const credentials = [target.serviceKey, generateRawKey('service', 'live').rawKey]
    const replaced = verifierOf({ credential: () => credentials.shift() ?? '' })
    await replaced.verify(token)
    pass(31)
    await problemOf(replaced.verify(token), 'invalid_api_key')
  })
})

test('it runs where only Web APIs are: in a worker', async () => {
  const { token } = await makeKey()
  const { outputFiles } = await build({
    ...{ entryPoints: ['client/src/index.ts'], bundle: true, write: false, format: 'iife', globalName: 'octomil' },
    ...{ platform: 'neutral', mainFields: ['module', 'main'] },
  })
  const { AbortSignal, FormData, Headers, Request, Response, TextEncoder, URL, URLSearchParams } = globalThis
  const web = {
    AbortSignal,
    FormData,
    Headers,
    Request,
    Response,
    TextEncoder,
    URL,
    URLSearchParams,
    crypto,
    performance,
  }
  const context = createContext({ ...web, fetch, setTimeout, clearTimeout })
  runInContext(outputFiles[0]?.text ?? '', context)
  const { octomil } = context as { octomil: typeof import('../../client/src/index.ts') }
  const inWorker = octomil.createKeyVerifier({ baseUrl: target.url, credential: target.serviceKey })
  expect(await inWorker.verify(token)).toMatchObject({ active: true })
})
