/** Introspection: every state and type of key, every kind of caller, and each reason to deny. */
import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { generateRawKey } from '../../../shared/auth/api-key.ts'
import { expandScopes, type Scope } from '../../../shared/auth/scopes.ts'
import { callsDuring } from '../../support/faults.ts'
import { invoke } from '../../support/invoke.ts'
import { logLines } from '../../support/logs.ts'
import { makeBusyOrg, makeKey, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { makeServiceKey } from '../../support/service-keys.ts'

let org: TestOrg
let other: TestOrg
let service: string
let asking: string
beforeAll(async () => {
  ;[org, other] = [await makeBusyOrg(), await makeBusyOrg()]
  service = (await makeServiceKey(['keys:introspect'])).rawKey
  asking = (await makeKey(org, { scopes: ['keys:introspect'], rate_limit_per_minute: 100_000 })).api_key
})

type Headers = Record<string, string>
const introspect = (token: string, more: object = {}, as = asking, query?: Record<string, string>) =>
  invoke('api-keys/introspect', { token: as, body: { token, ...more }, ...(query ? { query } : {}) })
const introspectForm = (rawBody: string, headers: Headers = {}, as: string | undefined = asking) =>
  invoke('api-keys/introspect', {
    token: as,
    rawBody,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  })
const later = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()
const seconds = (instant: string) => Math.floor(Date.parse(instant) / 1000)
const onKey = (operation: 'api-keys/revoke' | 'api-keys/rotate' | 'api-keys/update', id: string, body: object = {}) =>
  invoke(operation, { token: org.adminKey, params: { key_id: id }, body })

const states = {
  active: () => makeKey(org),
  retiring: async () => {
    const key = await makeKey(org)
    await onKey('api-keys/rotate', key.id, { overlap_seconds: 600 })
    return key
  },
  revoked: async () => {
    const key = await makeKey(org)
    await onKey('api-keys/revoke', key.id)
    return key
  },
  rotated: async () => {
    const key = await makeKey(org)
    await onKey('api-keys/rotate', key.id)
    return key
  },
  expired: async () => {
    // Time enough to create it on a busy machine.
    const expires_at = later(2)
    const key = await makeKey(org, { expires_at })
    await new Promise((resolve) => setTimeout(resolve, Date.parse(expires_at) + 50 - Date.now()))
    return key
  },
  retired: async () => {
    const key = await makeKey(org)
    await onKey('api-keys/rotate', key.id, { overlap_seconds: 1 })
    await new Promise((resolve) => setTimeout(resolve, 1050))
    return key
  },
}

describe('a key by state, to callers of every kind', () => {
  const callers: Record<string, () => string | Promise<string>> = {
    'an org key': () => asking,
    'a service key': () => service,
    'an owner': () => tokenFor(org.orgId, 'owner'),
    'an admin': () => tokenFor(org.orgId, 'admin'),
  }
  const answers = {
    active: { active: true, state: 'active', retires_at: null },
    retiring: { active: true, state: 'retiring', retires_at: expect.stringMatching(/Z$/) },
    revoked: { active: false, reason: 'revoked' },
    rotated: { active: false, reason: 'revoked' },
    expired: { active: false, reason: 'expired' },
    retired: { active: false, reason: 'revoked' },
  }
  test.each(Object.keys(states) as (keyof typeof states)[])('%s', async (state) => {
    const { api_key } = await states[state]()
    for (const caller of Object.values(callers)) {
      const { status, body } = await introspect(api_key, {}, await caller())
      expect(status).toBe(200)
      if (answers[state].active) expect(body).toMatchObject(answers[state])
      else expect(body).toEqual(answers[state])
    }
  })
})

describe('a usable key', () => {
  test.each([
    ['api-keys/create', { scopes: ['admin:read', 'models:read'], model_id: 'm-1', federation_id: 'f-1' }],
    ['api-keys/create-app-key', { app_id: 'app-7' }],
    ['api-keys/create-publishable-key', { environment: 'test' }],
  ] as const)('of %s is described as RFC 7662 names it, and as we do', async (operation, definition) => {
    const key = await makeKey(org, definition, operation)
    const scopes = [...expandScopes(key.scopes as readonly Scope[])]
    expect((await introspect(key.api_key)).body).toEqual({
      active: true,
      scope: scopes.join(' '),
      client_id: key.id,
      sub: key.id,
      token_type: 'Bearer',
      iat: seconds(key.created_at),
      key_id: key.id,
      key_type: key.key_type,
      org_id: org.orgId,
      environment: key.environment,
      scopes,
      app_id: key.app_id,
      model_id: key.model_id,
      federation_id: key.federation_id,
      allowed_origins: key.allowed_origins,
      allowed_app_ids: key.allowed_app_ids,
      state: 'active',
      retires_at: null,
      rate_limit_per_minute: key.rate_limit_per_minute ?? 100,
      plan: 'free',
      permitted: true,
      max_age_seconds: 30,
    })
  })

  test('names its nearer end, and may be remembered no longer than that', async () => {
    const expires_at = later(15)
    const ending = await makeKey(org, { expires_at })
    const { body } = await introspect(ending.api_key)
    expect(body.exp).toBe(seconds(expires_at))
    expect([13, 14]).toContain(body.max_age_seconds)
    await onKey('api-keys/rotate', ending.id, { overlap_seconds: 5 })
    const retiring = (await introspect(ending.api_key)).body
    expect(retiring.exp).toBe(seconds(retiring.retires_at))
    expect(retiring.exp).toBeLessThan(body.exp)
    expect(retiring.max_age_seconds).toBeLessThanOrEqual(5)
  })

  test('shows what include asks for, as the settings show it', async () => {
    const key = await makeKey(org)
    const { body } = await introspect(key.api_key, { include: ['policies', 'cloud_policy', 'usage'] })
    expect(body.policies).toEqual((await invoke('org-policies/get', { token: org.adminKey })).body)
    expect(body.cloud_policy).toEqual((await invoke('cloud-policy/get', { token: org.adminKey })).body)
    expect(Object.keys(body.usage).length).toBe(8)
    expect(body.usage.api_requests_monthly).toEqual({
      used: 0,
      limit: 100_000,
      mode: 'enforce',
      remaining: 100_000,
      exceeded: false,
    })
    expect(Object.keys((await introspect(key.api_key)).body)).not.toContain('policies')
  })

  test('has the plan of its organization', async () => {
    const { api_key } = await makeKey(org)
    const plan = (code: string | null) =>
      invoke('billing/update', {
        token: owner,
        body: { plan: code, ...(code ? { reason: 'a test' } : {}) },
      })
    const owner = await tokenFor(org.orgId, 'owner')
    await plan('team')
    expect((await introspect(api_key)).body.plan).toBe('team')
    await plan(null)
    expect((await introspect(api_key)).body.plan).toBe('free')
  })
})

describe('the very next introspection shows', () => {
  test('a revocation, a rotation and an edit', async () => {
    for (const [operation, body, expected] of [
      ['api-keys/revoke', {}, { active: false, reason: 'revoked' }],
      ['api-keys/rotate', {}, { active: false, reason: 'revoked' }],
      [
        'api-keys/update',
        { scopes: ['audit:read'], rate_limit_per_minute: 9 },
        { rate_limit_per_minute: 9, scope: 'audit:read' },
      ],
    ] as const) {
      const key = await makeKey(org)
      expect((await introspect(key.api_key)).body.scope).toBe('keys:read')
      await onKey(operation, key.id, body)
      expect((await introspect(key.api_key)).body).toMatchObject(expected)
    }
  })
})

describe('a token that is no usable key of the caller', () => {
  test.each([
    ['empty', () => ''],
    ['no key', () => 'garbage'],
    ['over 256 characters', () => 'x'.repeat(257)],
    ['three parts without a header of a JWT', () => 'a.b.c'],
    ['three long parts without a header of a JWT', () => Array(3).fill('x'.repeat(100)).join('.')],
    ['a key over 256 characters', () => generateRawKey('org', 'live').rawKey + '0'.repeat(220)],
    [
      'a key with a wrong checksum',
      () => generateRawKey('org', 'live').rawKey.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
    ],
    ['a service key with a wrong checksum', () => generateRawKey('service', 'live').rawKey.slice(0, -1)],
    ['a key that is cut short', () => other.adminKey.slice(0, -1)],
  ])('%s is malformed, to every caller', async (_what, token) => {
    for (const as of [asking, service]) {
      const { status, body } = await introspect(token(), {}, as)
      expect([status, body]).toEqual([200, { active: false, reason: 'malformed' }])
    }
  })

  test.each([
    ['an intact key that was never issued', () => generateRawKey('org', 'live').rawKey],
    ['a JWT', () => tokenFor(org.orgId, 'owner')],
    ['a long JWT without a signature', () => `eyJhbGciOiJub25lIn0.${'x'.repeat(300)}.`],
    ['a service key', () => service],
    ['a service key that was never issued', () => generateRawKey('service', 'test').rawKey],
  ])('%s is unknown, to every caller', async (_what, token) => {
    const presented = await token()
    for (const as of [asking, service])
      expect((await introspect(presented, {}, as)).body).toEqual({ active: false, reason: 'unknown' })
  })

  test('a key of another organization is unknown to all but service keys in every state', async () => {
    const foreign = Object.values(states).map((make) => make())
    const theirs = (await makeKey(other, { scopes: ['keys:introspect'] })).api_key
    for (const { api_key } of await Promise.all(foreign)) {
      for (const as of [theirs, await tokenFor(other.orgId, 'owner')])
        expect((await introspect(api_key, { count: true }, as)).body).toEqual({ active: false, reason: 'unknown' })
    }
  })

  test('a service key that names an organization sees the keys of that one', async () => {
    const [own, foreign] = [await makeKey(org), await makeKey(other)]
    const ask = (token: string) => introspect(token, {}, service, { org_id: org.orgId })
    expect((await ask(own.api_key)).body.org_id).toBe(org.orgId)
    expect((await ask(foreign.api_key)).body).toEqual({ active: false, reason: 'unknown' })
    for (const org_id of ['acme', 'org_01jd3v7k3q9x5m2n8r4t6w0y1z'])
      expectProblem(await introspect(own.api_key, {}, service, { org_id }), 'not_found')
  })

  test('costs as many reads as one that was never issued, so that its time says nothing', async () => {
    const theirs = await makeKey(other)
    // The first use of the caller reads its own rows.
    await introspect(theirs.api_key)
    const reads = async (token: string) => {
      const calls = await callsDuring(() => introspect(token))
      return calls.filter(({ command }) => command === 'GetItemCommand').length
    }
    const unknown = await reads(generateRawKey('org', 'live').rawKey)
    expect(await reads(theirs.api_key)).toBe(unknown)
    await introspect(theirs.api_key, {}, service)
    expect(await reads(theirs.api_key)).toBe(unknown)
    expect(await reads((await makeKey(other)).api_key)).toBe(unknown)
  })

  test('is in no log line', async () => {
    const theirs = await makeKey(other)
    const from = logLines.length
    await introspect(theirs.api_key)
    const logged = logLines.slice(from).join('\n')
    for (const secret of [theirs.api_key, theirs.id, other.orgId]) expect(logged).not.toContain(secret)
  })
})

describe('the presented request', () => {
  test('is denied without the required scope, bundles counting as their parts', async () => {
    const { api_key } = await makeKey(org, { scopes: ['admin:read'] })
    const judge = async (required_scope: string) => {
      const { permitted, denied_by } = (await introspect(api_key, { required_scope })).body
      return [permitted, denied_by]
    }
    expect(await judge('audit:read')).toEqual([true, undefined])
    expect(await judge('admin:read')).toEqual([true, undefined])
    expect(await judge('models:read')).toEqual([false, ['scope']])
    const unknown = await introspect(api_key, { required_scope: 'models:fly' })
    expectProblem(unknown, 'invalid_input')
    expect(faultPaths(unknown)).toEqual(['required_scope'])
  })

  test('is denied from an origin that a publishable key is not bound to', async () => {
    const allowed_origins = ['https://app.example.com', 'http://localhost:*']
    const bound = await makeKey(org, { allowed_origins, environment: 'test' }, 'api-keys/create-publishable-key')
    const open = await makeKey(org, {}, 'api-keys/create-publishable-key')
    const judge = async (token: string, origin?: string) =>
      (await introspect(token, origin === undefined ? {} : { origin })).body.denied_by
    expect(await judge(bound.api_key, 'https://app.example.com')).toBeUndefined()
    expect(await judge(bound.api_key, 'http://localhost:5173')).toBeUndefined()
    expect(await judge(bound.api_key, 'https://evil.example')).toEqual(['origin'])
    expect(await judge(bound.api_key)).toBeUndefined()
    expect(await judge(open.api_key, 'https://evil.example')).toBeUndefined()
    const empty = [
      await introspect(bound.api_key, { origin: '' }),
      await introspectForm(`token=${bound.api_key}&origin=`),
    ]
    for (const { status, body } of empty) expect([status, body.permitted]).toEqual([200, true])
  })

  test('counts against the key’s own limit only when asked to', async () => {
    const key = await makeKey(org, { rate_limit_per_minute: 2 })
    for (let round = 0; round < 4; round++) expect((await introspect(key.api_key)).body.permitted).toBe(true)
    const counted: boolean[] = []
    // At the seam of two minutes the count starts again: five have to suffice in any case.
    for (let round = 0; round < 5; round++)
      counted.push((await introspect(key.api_key, { count: true })).body.permitted)
    expect(counted.slice(0, 2)).toEqual([true, true])
    expect(counted).toContain(false)
    expect((await introspect(key.api_key, { count: true, required_scope: 'models:read' })).body.denied_by).toContain(
      'scope',
    )
    expect((await introspect(key.api_key)).body.permitted).toBe(true)
  })

  test('is denied by usage that is used up under enforce, and only where usage is included', async () => {
    const poor = await makeBusyOrg()
    const limit = (metric: string, mode: string, value: number | null = 0) =>
      invoke('usage-limits/update', { token: poor.adminKey, body: { limits: { [metric]: { limit: value, mode } } } })
    const keys = [await makeKey(poor), await makeKey(poor, {}, 'api-keys/create-publishable-key')]
    const denials = async (include: string[] = ['usage']) =>
      Promise.all(
        keys.map(async ({ api_key }) => (await introspect(api_key, { include }, service)).body.denied_by ?? []),
      )
    expect(await denials()).toEqual([[], []])
    await limit('api_requests_monthly', 'enforce')
    expect(await denials()).toEqual([['usage'], []])
    expect(await denials([])).toEqual([[], []])
    await limit('hosted_requests_monthly', 'enforce')
    expect(await denials()).toEqual([['usage'], ['usage']])
    await limit('api_requests_monthly', 'alert_only')
    await limit('hosted_requests_monthly', 'alert_only')
    expect(await denials()).toEqual([[], []])
  })

  test('names everything that denies it', async () => {
    const allowed_origins = ['https://app.example.com']
    const { api_key } = await makeKey(
      org,
      { allowed_origins, rate_limit_per_minute: 1 },
      'api-keys/create-publishable-key',
    )
    const request = { required_scope: 'keys:read', origin: 'https://evil.example', count: true }
    const answers = [
      await introspect(api_key, request),
      await introspect(api_key, request),
      await introspect(api_key, request),
    ]
    expect(answers.some(({ body }) => String(body.denied_by) === 'scope,origin,rate_limit')).toBe(true)
  })
})

describe('as a form', () => {
  test('answers as to JSON', async () => {
    const { api_key } = await makeKey(org)
    const json = await introspect(api_key, {
      include: ['policies', 'cloud_policy'],
      required_scope: 'keys:read',
      count: false,
    })
    const form = new URLSearchParams({
      token: api_key,
      token_type_hint: 'access_token',
      include: 'policies cloud_policy',
      required_scope: 'keys:read',
      count: 'false',
      client_id: 'ignored',
      constructor: 'ignored',
    })
    const { status, body } = await introspectForm(form.toString())
    expect([status, body]).toEqual([200, json.body])
    const bare = await introspectForm(`token=${api_key}&required_scope=&origin=&include=&zz=1`, {
      'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
    })
    expect(bare.body).toEqual((await introspect(api_key)).body)
    expect((await introspectForm('token=')).body).toEqual({ active: false, reason: 'malformed' })
  })

  test.each([
    ['token=a&token=b', 'token'],
    ['token=a&zz=1&zz=2', 'zz'],
    ['zz=1', 'token'],
    ['token=a&count=yes', 'count'],
    ['token=a&include=policies+secrets', 'include.1'],
    ['token=a&required_scope=models:fly', 'required_scope'],
  ])('%s is 400', async (form, path) => {
    const refused = await introspectForm(form)
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual([path])
  })

  test('without a parameter lacks its token, and speaks of no JSON', async () => {
    const refused = await introspectForm('')
    expectProblem(refused, 'invalid_input')
    expect(refused.body.errors).toEqual([{ path: 'token', code: 'missing_field', message: 'is required' }])
    expect(refused.text).not.toContain('JSON')
  })

  test('that is not UTF-8 is a malformed form, not malformed JSON', async () => {
    // The gateway replaced one byte by a character of three.
    const refused = await introspectForm('token=\ufffd', { 'content-length': '7' })
    expectProblem(refused, 'invalid_input')
    expect(refused.body.errors).toEqual([
      { path: '', code: 'malformed_form', message: 'the body is not valid UTF-8; encode it as UTF-8' },
    ])
  })

  test('or JSON: the error for a body of another type, or for none, names both types', async () => {
    const send = (rawBody: string, headers: Headers) =>
      invoke('api-keys/introspect', { token: asking, rawBody, headers })
    for (const type of ['text/plain', 'multipart/form-data; boundary=x']) {
      const refused = await send('token=a', { 'content-type': type })
      expectProblem(refused, 'unsupported_media_type')
      expect(refused.body.detail).toContain('application/json or application/x-www-form-urlencoded')
    }
    const missing = await send('', { 'content-type': 'application/json' })
    expectProblem(missing, 'invalid_input')
    expect(missing.body.errors[0].message).toBe('a JSON body or a form is required')
  })

  test.each(['charset=UTF-8', 'Charset="utf-8"', 'charset=iso-8859-1'])(
    'or JSON takes the parameter %s',
    async (parameter) => {
      const { api_key } = await makeKey(org)
      const bodies = {
        'application/x-www-form-urlencoded': `token=${api_key}`,
        'application/json': JSON.stringify({ token: api_key }),
      }
      for (const [type, rawBody] of Object.entries(bodies)) {
        const headers = { 'content-type': `${type.toUpperCase()} ; ${parameter}` }
        const { status, body } = await invoke('api-keys/introspect', { token: asking, rawBody, headers })
        expect([status, body.active]).toEqual([200, true])
      }
    },
  )

  test('is taken by no other operation', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    expectProblem(
      await invoke('api-keys/create', { token: org.adminKey, rawBody: 'name=x', headers }),
      'unsupported_media_type',
    )
  })
})

describe('the credential of the caller', () => {
  const basic = (name: string, password: string) => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
  const ask = async (headers: Headers) => {
    const body = { token: (await makeKey(org)).api_key }
    return invoke('api-keys/introspect', { body, headers })
  }

  test('may be the password of Basic, form-encoded and under any name', async () => {
    const encoded = asking.replaceAll('_', '%5F')
    for (const authorization of [
      basic('any', asking),
      basic('', asking),
      basic('a%3Ab', encoded),
      basic('x', service).replace('Basic', 'basic'),
    ])
      expect((await ask({ authorization })).body.active).toBe(true)
    expect((await ask({ 'x-api-key': asking })).body.active).toBe(true)
    expect((await ask({ authorization: basic('x', asking), 'x-api-key': asking })).body.active).toBe(true)
  })

  test('that is a wrong Basic one is 401, and Basic is among the challenges', async () => {
    for (const [authorization, code] of [
      [basic('x', ''), 'authentication_failed'],
      [basic('x', '%zz'), 'authentication_failed'],
      ['Basic', 'authentication_failed'],
      ['Basic !!', 'authentication_failed'],
      [basic('x', 'garbage'), 'invalid_api_key'],
      [basic('x', generateRawKey('org', 'live').rawKey), 'invalid_api_key'],
    ] as const) {
      const refused = await ask({ authorization })
      expectProblem(refused, code)
      expect(refused.headers['www-authenticate']).toMatch(/^Bearer realm="octomil".*, Basic realm="octomil"$/)
    }
    expectProblem(await ask({ authorization: basic('x', asking), 'x-api-key': service }), 'authentication_failed')
  })

  test('is judged by its scope, before the token is looked at', async () => {
    const { api_key } = await makeKey(org, { scopes: ['keys:read', 'admin:write'] })
    for (const as of [api_key, await tokenFor(org.orgId, 'member')]) {
      const refused = await introspect(api_key, {}, as)
      expectProblem(refused, 'forbidden')
      expect(refused.body.detail).toContain('keys:introspect')
    }
  })
})

describe('the request itself', () => {
  test('ignores Idempotency-Key, a malformed one too', async () => {
    const key = await makeKey(org)
    const ask = (idempotencyKey: string) =>
      invoke('api-keys/introspect', {
        token: asking,
        body: { token: key.api_key },
        headers: { 'idempotency-key': idempotencyKey },
      })
    expect((await ask('once')).body.active).toBe(true)
    await onKey('api-keys/revoke', key.id)
    const again = await ask('once')
    expect([again.body, again.headers['idempotency-replayed']]).toEqual([
      { active: false, reason: 'revoked' },
      undefined,
    ])
    expect((await ask('x'.repeat(300))).status).toBe(200)
  })

  test('of another path never repeats a credential that stands in it', async () => {
    const jwt = await tokenFor(org.orgId, 'owner')
    for (const key_id of [org.adminKey, jwt, `${jwt}x`, jwt.slice(0, -50)]) {
      const refused = await invoke('api-keys/get', { token: asking, params: { key_id } })
      expect(refused.body.instance).toMatch(/…$/)
      expect(refused.text).not.toContain(key_id.slice(20))
    }
  })

  test('leaves no event', async () => {
    const before = await invoke('audit-events/list', { token: org.adminKey, query: { limit: '1' } })
    await introspect(org.adminKey, { count: true })
    const after = await invoke('audit-events/list', { token: org.adminKey, query: { limit: '1' } })
    expect(after.body.data[0]?.id).toBe(before.body.data[0]?.id)
  })

  test('masks a field whose name has the shape of a key', async () => {
    const { rawKey } = generateRawKey('org', 'live')
    for (const refused of [
      await introspect('x', { [rawKey]: 1 }),
      await introspect('x', {}, asking, { [rawKey]: '1' }),
      await introspectForm(`token=x&${rawKey}=1&${rawKey}=2`),
    ]) {
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused)).toEqual(['oct_org_live_…'])
      expect(refused.text).not.toContain(rawKey)
    }
  })

  test('reads the key once, and nothing more unless asked to', async () => {
    const key = await makeKey(org)
    await introspect(key.api_key)
    const calls = await callsDuring(() => introspect(key.api_key))
    const plain = calls.filter(({ command }) => command === 'GetItemCommand').length
    // The caller's own record, the key and its organization's plan.
    expect(plain).toBe(3)
    expect(calls.map(({ command }) => command)).not.toContain('QueryCommand')
  })

  test('a hundred random tokens never make an error', async () => {
    for (let round = 0; round < 100; round++) {
      const { status, body } = await introspect(randomBytes(round).toString('latin1'))
      expect([status, body.active]).toEqual([200, false])
    }
  })
})
