/** What holds for every operation, walked over the operation list so that a later operation is covered by being in it. */
import { generateKeyPairSync } from 'node:crypto'
import { type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { isVersioned } from '../../docs/answers.ts'
import { type OperationName, operationList } from '../../functions/operations.ts'
import { createIssuer } from '../../local/issuer.ts'
import { generateRawKey } from '../../shared/auth/api-key.ts'
import type { Scope } from '../../shared/auth/scopes.ts'
import { type Operation, takesIdempotencyKey } from '../../shared/http/operation.ts'
import { happyRequest } from '../support/happy-paths.ts'
import { eventFor, invoke, invokeEvent, type Request, type Response } from '../support/invoke.ts'
import {
  busyKey,
  credentialFor,
  isForKeys,
  makeBusyOrg,
  makeKey,
  newOwner,
  type TestOrg,
  testIssuer,
  tokenFor,
} from '../support/orgs.ts'
import { bareProblem, type Code, expectProblem, expectWellFormedProblem, faultPaths } from '../support/problems.ts'
import { malformedIds, sampleParams } from '../support/sample-ids.ts'

/** Unknown fields are dropped and named in the answer there, says the contract. */
const toleratesUnknownFields = new Set(['settings.update-integration'])
const bodyLimitBytes = 256 * 1024

let org: TestOrg
let stranger: TestOrg
/** Raw keys that hold this one scope, which no settings operation asks for. */
const narrowKeys = new Map<Scope, { id: string; api_key: string }>()
const unrelatedScopes = ['evals:write', 'benchmarks:write'] as const satisfies readonly Scope[]
const badTokens: { what: string; token: string; code: Code }[] = []

beforeAll(async () => {
  org = await makeBusyOrg()
  stranger = await makeBusyOrg()
  for (const scope of unrelatedScopes) {
    narrowKeys.set(scope, await makeKey(org, { scopes: [scope], rate_limit_per_minute: 100_000 }))
  }
  badTokens.push(...(await makeBadTokens()))
})

afterEach(() => {
  vi.useRealTimers()
})

const huge = 'x'.repeat(bodyLimitBytes + 1)
const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
const nested = `{"name":${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}}`
const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`f${index}`, 1])))
const list = JSON.stringify({ name: 'x', scopes: Array(30_000).fill(1), allowed_origins: Array(30_000).fill(1) })

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

async function makeBadTokens(): Promise<typeof badTokens> {
  const issuer = await testIssuer()
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: issuer.url,
    aud: 'octomil-settings',
    sub: 'user-owner',
    org_id: org.orgId,
    role: 'owner',
    iat: now,
    exp: now + 600,
  }
  const person = { sub: 'user-owner', org_id: org.orgId, role: 'owner' } as const
  const good = await tokenFor(org.orgId, 'owner')
  const [goodHeader = '', goodPayload = '', goodSignature = ''] = good.split('.')
  const header = JSON.parse(Buffer.from(goodHeader, 'base64url').toString()) as JWTHeaderParameters
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const sign = (payload: JWTPayload, key: Parameters<SignJWT['sign']>[0], protectedHeader = header) =>
    new SignJWT(payload).setProtectedHeader(protectedHeader).sign(key)
  const published = await fetch(`${issuer.url}/jwks.json`).then((response) => response.text())
  const unknownKey = generateRawKey('org', 'live').rawKey
  const last = unknownKey.slice(-1) === '0' ? '1' : '0'
  return [
    { what: 'a key whose checksum is wrong', token: unknownKey.slice(0, -1) + last, code: 'invalid_api_key' },
    { what: 'a key that is cut short', token: org.adminKey.slice(0, -1), code: 'invalid_api_key' },
    { what: 'an intact key that nobody was given', token: unknownKey, code: 'invalid_api_key' },
    { what: 'garbage', token: 'garbage', code: 'authentication_failed' },
    { what: 'three parts of garbage', token: 'a.b.c', code: 'authentication_failed' },
    { what: 'a JWT signed by another key', token: await sign(claims, privateKey), code: 'authentication_failed' },
    {
      what: 'a JWT signed with the published key as a shared secret',
      token: await sign(claims, Buffer.from(published), { ...header, alg: 'HS256' }),
      code: 'authentication_failed',
    },
    {
      what: 'a JWT of a key that the issuer does not have',
      token: await sign(claims, privateKey, { ...header, kid: 'another' }),
      code: 'authentication_failed',
    },
    {
      what: 'a JWT with alg none and no signature',
      token: `${base64url({ alg: 'none' })}.${base64url(claims)}.`,
      code: 'authentication_failed',
    },
    {
      what: 'a JWT with alg none and a signature',
      token: `${base64url({ ...header, alg: 'none' })}.${base64url(claims)}.${goodSignature}`,
      code: 'authentication_failed',
    },
    {
      what: 'a JWT whose claims were changed',
      token: `${goodHeader}.${base64url({ ...claims, org_id: stranger.orgId })}.${goodSignature}`,
      code: 'authentication_failed',
    },
    {
      what: 'a JWT without its last character',
      token: `${goodHeader}.${goodPayload}.${goodSignature.slice(0, -3)}`,
      code: 'authentication_failed',
    },
    {
      what: 'a JWT of another issuer',
      token: await (await createIssuer('https://issuer.example.com')).mint(person, 600),
      code: 'authentication_failed',
    },
    {
      what: 'a JWT of a role that there is not',
      token: await tokenFor(org.orgId, 'owner', 600, { role: 'root' }),
      code: 'authentication_failed',
    },
    {
      what: 'a JWT of no org',
      token: await tokenFor(org.orgId, 'owner', 600, { org_id: 'acme' }),
      code: 'authentication_failed',
    },
    {
      what: 'a JWT that is valid later',
      token: await tokenFor(org.orgId, 'owner', 600, { nbf: now + 300 }),
      code: 'authentication_failed',
    },
    { what: 'a JWT that has expired', token: await tokenFor(org.orgId, 'owner', -60), code: 'token_expired' },
  ]
}

const securityHeaders = {
  'cache-control': expect.any(String),
  'content-security-policy': expect.stringContaining("default-src 'none'"),
  'referrer-policy': 'no-referrer',
  'strict-transport-security': expect.stringMatching(/^max-age=\d{8}/),
  'x-content-type-options': 'nosniff',
}
const rateHeaders = {
  ratelimit: expect.stringMatching(/^"default";r=\d+;t=\d+$/),
  'ratelimit-policy': expect.stringMatching(/^"default";q=\d+;w=60$/),
}

describe.each(operationList)('%s', (name: OperationName, operation: Operation) => {
  const { scope, method, body, bodyMayBeAbsent, audit } = operation
  const guarded = scope !== 'public'
  const scoped = guarded && scope !== 'any'
  const params = sampleParams(operation)
  const idNames = Object.keys(params).filter((name) => name.endsWith('_id'))

  /** A request on something that does not exist, by the org's admin or owner unless said otherwise. */
  const ask = async (request: Request = {}): Promise<Response> =>
    invoke(name, { ...(guarded ? { token: await credentialFor(operation, org) } : {}), params, ...request })
  const askHappily = async (request: Request = {}): Promise<Response> =>
    ask({ ...(await happyRequest(name, org)), ...request })
  const askInBytes = async (bytes: Uint8Array): Promise<Response> => {
    const token = await credentialFor(operation, org)
    const event = eventFor(operation, { token, params, rawBody: Buffer.from(bytes).toString('base64') })
    return invokeEvent(name, { ...event, isBase64Encoded: true })
  }
  /** A caller without denials so far: of one principal the first of a minute is recorded. */
  const newPrincipal = (): Promise<string> => (isForKeys(operation) ? busyKey(org) : newOwner(org.orgId))
  /** A key that is valid and may do nothing here. */
  const narrow = () => {
    const unrelated = unrelatedScopes.find((candidate) => candidate !== scope)
    const key = unrelated && narrowKeys.get(unrelated)
    if (!key) throw new Error('there is no unrelated scope')
    return key
  }

  test('its happy path answers what its contract says, and nothing beside it', async () => {
    const response = await askHappily()
    expect(Object.keys(operation.answers), response.text).toContain(String(response.status))
    const schema = operation.answers[response.status]
    if (schema) expect(schema.parse(response.body)).toEqual(response.body)
    if (isVersioned(operation, response.status)) expect(response.headers.etag).toMatch(/^"[\w-]{27}"$/)
    expect(response.headers).toMatchObject({
      ...securityHeaders,
      ...(operation.mediaTypes ? { 'content-security-policy': expect.any(String) } : {}),
      ...(guarded ? rateHeaders : {}),
      'x-request-id': expect.stringMatching(/^[0-9A-Z]{26}$/),
    })
  })

  if (method === 'GET') {
    test('HEAD has the status and the headers of GET, and no body', async () => {
      const request = await happyRequest(name, org)
      const [get, head] = [await ask(request), await ask({ ...request, method: 'HEAD' })]
      expect([head.status, head.text]).toEqual([get.status, ''])
      const names = ['content-type', 'etag', 'cache-control', 'ratelimit-policy', 'content-security-policy']
      expect(names.map((header) => head.headers[header])).toEqual(names.map((header) => get.headers[header]))
      if (!get.headers.etag) return
      const known = await ask({ ...request, method: 'HEAD', headers: { 'if-none-match': get.headers.etag } })
      expect(known.status).toBe(304)
    })
  }

  if (!guarded) {
    test('needs no token, and a bad one does no harm', async () => {
      const bare = await askHappily()
      const withToken = await askHappily({ token: 'garbage' })
      expect([bare.status, withToken.status]).toEqual([200, 200])
      expect(withToken.headers.ratelimit).toBeUndefined()
    })
    return
  }

  test('a request without a token is 401 with instructions to authenticate', async () => {
    for (const headers of [{}, { authorization: '' }, { authorization: 'Bearer ' }, { 'x-api-key': '' }]) {
      const response = await ask({ token: undefined, headers: headers as Record<string, string> })
      expectProblem(response, 'authentication_failed')
      expect(response.headers['www-authenticate']).toMatch(/^Bearer realm="[^"]+"/)
      expect(response.headers).toMatchObject(securityHeaders)
      expect(response.headers.ratelimit).toBeUndefined()
    }
  })

  test('a bad token is 401 with the code of its fault', async () => {
    for (const { what, token, code } of badTokens) {
      const response = await ask({ token })
      expect([what, response.body.code]).toEqual([what, code])
      expectProblem(response, code)
      expect(response.headers['www-authenticate']).toMatch(/^Bearer realm="[^"]+"/)
    }
  })

  test('a token of another audience is 401', async () => {
    const token = await tokenFor(org.orgId, 'owner')
    const configured = process.env.OIDC_AUDIENCE
    process.env.OIDC_AUDIENCE = 'another-service'
    try {
      expectProblem(await ask({ token }), 'authentication_failed')
    } finally {
      process.env.OIDC_AUDIENCE = configured
    }
  })

  test('a credential that is no bearer token, or two that differ, are 401', async () => {
    const basic = `Basic ${Buffer.from(`key:${org.adminKey}`).toString('base64')}`
    const withBasic = await ask({ token: undefined, headers: { authorization: basic } })
    if (operation.clientAuthentication) expect(withBasic.status).not.toBe(401)
    else expectProblem(withBasic, 'authentication_failed')
    expectProblem(await ask({ headers: { 'x-api-key': stranger.adminKey } }), 'authentication_failed')
    expectProblem(await ask({ token: undefined, headers: { 'x-api-key': 'garbage' } }), 'invalid_api_key')
  })

  test('a key is taken as bearer token and as X-API-Key alike', async () => {
    const bearer = await ask({ token: org.adminKey })
    const header = await ask({ token: undefined, headers: { 'x-api-key': org.adminKey } })
    const both = await ask({ token: org.adminKey, headers: { 'x-api-key': org.adminKey } })
    expect([header.status, both.status]).toEqual([bearer.status, bearer.status])
    expect(bearer.status).not.toBe(401)
    expect(bearer.status === 403).toBe(!isForKeys(operation))
  })

  if (scoped) {
    test('a token without its scope is 403, and the scope is named', async () => {
      const response = await ask({ token: narrow().api_key })
      expectProblem(response, 'forbidden')
      expect(response.body.detail).toContain(scope)
      expect(response.headers).toMatchObject({ ...securityHeaders, ...rateHeaders })
    })
  }

  test('an org_id of another org is 403, the own one changes nothing', async () => {
    const foreign = await ask({ query: { org_id: stranger.orgId } })
    expectProblem(foreign, 'forbidden')
    expect(foreign.headers).toMatchObject({ ...securityHeaders, ...rateHeaders })
    for (const org_id of ['', org.orgId.toUpperCase(), `${org.orgId},${org.orgId}`]) {
      expectProblem(await ask({ query: { org_id } }), 'forbidden')
    }
    const happy = await askHappily()
    const named = await askHappily({ query: { org_id: org.orgId } })
    expect(named.status, named.text).toBe(happy.status)
  })

  if (audit) {
    test('a denied attempt is in the audit trail with its action and its resource', async () => {
      const { id, api_key } = await makeKey(org, { scopes: [narrowScopeFor(scope)] })
      const denials = [
        ...(scoped && isForKeys(operation) ? [await ask({ token: api_key })] : []),
        await ask({ token: await newPrincipal(), query: { org_id: stranger.orgId } }),
      ]
      const trail = await invoke('audit-events/list', { token: org.adminKey, query: { action: audit.action } })
      for (const denial of denials) {
        expect(denial.status).toBe(403)
        const event = trail.body.data.find(
          ({ request_id }: { request_id: string }) => request_id === denial.body.request_id,
        )
        expect(event).toMatchObject({ action: audit.action, result: 'denied', changes: [] })
        expect(event.actor.type).toBe(isForKeys(operation) ? 'api_key' : 'user')
        expect(event.resource).toEqual({
          type: audit.resource,
          ...(audit.param ? { id: params[audit.param] } : {}),
          // What an org has one of goes by the id of the org.
          ...(audit.param || method === 'POST' ? {} : { id: org.orgId }),
        })
      }
      if (scoped && isForKeys(operation))
        expect(trail.body.data.some((event: { actor: { id: string } }) => event.actor.id === id)).toBe(true)
    })

    test('a denied attempt on an impossible id is recorded without the id', async () => {
      const denials: { noId: string; requestId: string }[] = []
      for (const noId of ['no-id', '(_', '[_x', '\\_', '*_01jd3v7k3q9x5m2n8r4t6w0y1z']) {
        const nowhere = Object.fromEntries(idNames.map((idName) => [idName, noId]))
        const denial = await ask({ token: await newPrincipal(), params: nowhere, query: { org_id: stranger.orgId } })
        expectProblem(denial, 'forbidden')
        denials.push({ noId, requestId: denial.body.request_id })
      }
      const trail = await invoke('audit-events/list', { token: org.adminKey, query: { action: audit.action } })
      const isSettings = !audit.param && method !== 'POST'
      const resource = { type: audit.resource, ...(isSettings ? { id: org.orgId } : {}) }
      for (const { noId, requestId } of denials) {
        const event = trail.body.data.find(({ request_id }: { request_id: string }) => request_id === requestId)
        expect(event, noId).toMatchObject({ result: 'denied' })
        expect(event?.resource, noId).toEqual(resource)
      }
    })
  }

  test('a request beyond its limit is 429 before it is 403 or 400', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    const { api_key } = await makeKey(org, { scopes: [narrowScopeFor(scope)], rate_limit_per_minute: 1 })
    const first = await ask({ token: api_key, rawBody: '{' })
    expect(first.status).not.toBe(429)
    const second = await ask({ token: api_key, rawBody: '{', query: { org_id: stranger.orgId } })
    expectProblem(second, 'rate_limited')
    expect(second.headers).toMatchObject({ ...securityHeaders, ...rateHeaders })
    expect(second.headers['retry-after']).toMatch(/^[1-9]\d?$/)
  })

  test('an unknown query parameter is 400 and named', async () => {
    const response = await askHappily({ query: { zz_unknown: '1', constructor: '2' } })
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response).sort()).toEqual(['constructor', 'zz_unknown'])
    expect(response.headers).toMatchObject({ ...securityHeaders, ...rateHeaders })
  })

  if (idNames.length > 0) {
    test('a malformed id in the path is the same 404 as an id that does not exist', async () => {
      const { params: _params, ...happy } = await happyRequest(name, org)
      const unknown = await ask(happy)
      expectProblem(unknown, 'not_found')
      for (const idName of idNames) {
        for (const malformed of malformedIds(params[idName] ?? '')) {
          const response = await ask({ ...happy, params: { ...params, [idName]: malformed } })
          expectProblem(response, 'not_found')
          expect(bareProblem(response), JSON.stringify(malformed)).toEqual(bareProblem(unknown))
          expect(Object.keys(response.headers).sort()).toEqual(Object.keys(unknown.headers).sort())
        }
      }
    })

    test('a resource of another org gives the same 404 as a missing one', async () => {
      const { params: theirs, ...happy } = await happyRequest(name, stranger)
      const foreign = await ask({ ...happy, params: theirs ?? {} })
      const unknown = await ask(happy)
      expectProblem(foreign, 'not_found')
      expect(bareProblem(foreign)).toEqual(bareProblem(unknown))
    })
  }

  if (takesIdempotencyKey(operation)) {
    test('a malformed Idempotency-Key is 400 and named', async () => {
      for (const key of ['', 'x'.repeat(256), 'tab\there', 'naïve', 'nul\0']) {
        const response = await askHappily({ headers: { 'idempotency-key': key } })
        expectProblem(response, 'invalid_input')
        expect(faultPaths(response)).toEqual(['Idempotency-Key'])
      }
    })
  }

  if (!body) return
  if (!toleratesUnknownFields.has(operation.id)) {
    test('unknown fields of a body are 400, each named', async () => {
      const { body: happy } = await happyRequest(name, org)
      const fields = { zz_unknown: 1, Name: 'x', constructor: {}, toString: null }
      const response = await ask({ body: { ...(happy as object | undefined), ...fields } })
      expectProblem(response, 'invalid_input')
      expect(faultPaths(response).sort()).toEqual(Object.keys(fields).sort())
      const hidden = await ask({
        rawBody: JSON.stringify({ ...(happy as object | undefined), PROTO: 1 }).replace('PROTO', '__proto__'),
      })
      expectProblem(hidden, 'invalid_input')
      expect(faultPaths(hidden)).toEqual(['__proto__'])
    })
  }

  test('a body of another kind than an object is 400', async () => {
    for (const rawBody of ['"text"', '[]', '[{}]', 'null', '7', 'true']) {
      const response = await ask({ rawBody })
      expect([rawBody, response.status]).toEqual([rawBody, 400])
      expectProblem(response, 'invalid_input')
    }
  })

  test('a body that is not JSON is 400', async () => {
    for (const rawBody of ['{', '{"a":1}{', "{'a':1}", '{"a":NaN}', ' ', '\0', 'name=x', '{"a":"\n"}']) {
      expectProblem(await ask({ rawBody }), 'invalid_input')
    }
  })

  test('a body that is not UTF-8 is 400, and so is half of a surrogate pair anywhere in it', async () => {
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf]]) {
      const response = await askInBytes(Uint8Array.from([...Buffer.from('{"name":"'), ...bytes, ...Buffer.from('"}')]))
      expectProblem(response, 'invalid_input')
      expect(faultPaths(response)).toEqual([''])
    }
    for (const rawBody of ['{"name":"\\ud800"}', '{"\\udfff":1}', '{"name":["a",{"b":"\\udc00\\ud800"}]}']) {
      const response = await ask({ rawBody })
      expectProblem(response, 'invalid_input')
      expect(response.body.errors[0].code).toBe('invalid_unicode')
    }
  })

  test('a body that is deep, wide or full of faults is 400 and answered briefly', async () => {
    // One that drops unknown fields has no fault to find in those of the list.
    const bodies = toleratesUnknownFields.has(operation.id) ? [deep, nested, wide] : [deep, nested, wide, list]
    for (const rawBody of bodies) {
      const response = await ask({ rawBody })
      expectProblem(response, 'invalid_input')
      expect(response.text.length).toBeLessThan(50_000)
    }
  })

  test('a body over 256 KiB is 413, by its bytes and not by its characters', async () => {
    expectProblem(await ask({ rawBody: huge }), 'payload_too_large')
    expectProblem(await ask({ rawBody: `"${'\u00e9'.repeat(bodyLimitBytes / 2)}"` }), 'payload_too_large')
    expectProblem(await askInBytes(new Uint8Array(bodyLimitBytes + 1)), 'payload_too_large')
    const atTheLimit = await ask({ rawBody: `"${'x'.repeat(bodyLimitBytes - 2)}"` })
    expectProblem(atTheLimit, 'invalid_input')
  })

  test('a body of another type than JSON is 415', async () => {
    const others = [
      'text/plain',
      ...(operation.form ? [] : ['application/x-www-form-urlencoded']),
      'application/jsonp',
      'json',
      '',
      'multipart/json',
    ]
    for (const type of others) {
      expectProblem(await ask({ rawBody: '{}', headers: { 'content-type': type } }), 'unsupported_media_type')
    }
    for (const type of ['application/json; charset=utf-8', 'Application/JSON', ' application/json ;a=b']) {
      const response = await ask({ rawBody: '{', headers: { 'content-type': type } })
      expectProblem(response, 'invalid_input')
    }
  })

  test(`a body that is left out ${bodyMayBeAbsent ? 'is an empty one' : 'is 400'}`, async () => {
    const happy = await happyRequest(name, org)
    for (const request of [{}, { rawBody: '' }, { headers: { 'content-type': 'text/plain' } }]) {
      const response = await ask({ ...(happy.params ? { params: happy.params } : {}), ...request })
      if (bodyMayBeAbsent) expect([400, 413, 415]).not.toContain(response.status)
      else expectProblem(response, 'invalid_input')
    }
  })

  test('faults come in order: 401, 403, then 413, 415, 400, then 404', async () => {
    const text = { 'content-type': 'text/plain' }
    const wrong = { query: { zz: '1' }, params: Object.fromEntries(idNames.map((id) => [id, 'nope'])) }
    const faults: Request[] = [
      { ...wrong, rawBody: huge, headers: text },
      { ...wrong, rawBody: '{', headers: text },
      { ...wrong, rawBody: '{' },
      { ...wrong, body: { zz: 1 } },
    ]
    for (const fault of faults) {
      expectProblem(await ask({ ...fault, token: undefined }), 'authentication_failed')
      if (scoped) expectProblem(await ask({ ...fault, token: narrow().api_key }), 'forbidden')
      expectProblem(await ask({ ...fault, query: { org_id: stranger.orgId, zz: '1' } }), 'forbidden')
    }
    const codes: string[] = []
    for (const fault of faults) {
      const response = await ask(fault)
      expectWellFormedProblem(response)
      expect(response.headers).toMatchObject({ ...securityHeaders, ...rateHeaders })
      codes.push(response.body.code)
    }
    expect(codes).toEqual(['payload_too_large', 'unsupported_media_type', 'invalid_input', 'invalid_input'])
  })

  if (idNames.length > 0 && operation.method === 'POST') {
    test('a malformed Idempotency-Key is 400 before a malformed id is 404', async () => {
      const happy = await happyRequest(name, org)
      const nowhere = { ...happy, params: Object.fromEntries(idNames.map((id) => [id, 'nope'])) }
      expectProblem(await ask({ ...nowhere, headers: { 'idempotency-key': '' } }), 'invalid_input')
    })
  }
})

const narrowScopeFor = (scope: Operation['scope']): Scope =>
  unrelatedScopes.find((candidate) => candidate !== scope) ?? 'evals:write'
