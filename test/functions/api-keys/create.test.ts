import { createHash } from 'node:crypto'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { invoke, type Request } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'

let org: TestOrg
let owner: string
let admin: string
let member: string
beforeAll(async () => {
  org = await makeBusyOrg()
  owner = await tokenFor(org.orgId, 'owner')
  admin = await tokenFor(org.orgId, 'admin')
  member = await tokenFor(org.orgId, 'member')
})
afterEach(() => {
  vi.useRealTimers()
})

const create = (body: object = {}, request: Request = {}) =>
  invoke('api-keys/create', {
    token: org.adminKey,
    body: { name: 'server', scopes: ['keys:read'], ...body },
    ...request,
  })
const use = (token: string) => invoke('api-keys/scopes', { token })
const get = async (id: string) => (await invoke('api-keys/get', { token: org.adminKey, params: { key_id: id } })).body
const newestEvent = async () =>
  (await invoke('audit-events/list', { token: org.adminKey, query: { limit: '1' } })).body.data[0]

const recordFields = [
  'id',
  'name',
  'key_type',
  'prefix',
  'scopes',
  'environment',
  'federation_id',
  'model_id',
  'app_id',
  'allowed_origins',
  'allowed_app_ids',
  'rate_limit_per_minute',
  'state',
  'created_at',
  'created_by',
  'expires_at',
  'last_used_at',
  'revoked_at',
  'revoked_reason',
  'rotated_from',
  'rotated_to',
]

describe('creating an org key', () => {
  test('answers 201 with every field of the record, the raw key, and where the record is', async () => {
    const before = Date.now()
    const { status, body, headers } = await create()
    expect(status).toBe(201)
    expect(Object.keys(body)).toEqual([...recordFields, 'api_key'])
    const { id, prefix, created_at, created_by, api_key, ...rest } = body
    expect(rest).toEqual({
      name: 'server',
      key_type: 'org',
      scopes: ['keys:read'],
      environment: 'live',
      federation_id: null,
      model_id: null,
      app_id: null,
      allowed_origins: [],
      allowed_app_ids: [],
      rate_limit_per_minute: null,
      state: 'active',
      expires_at: null,
      last_used_at: null,
      revoked_at: null,
      revoked_reason: null,
      rotated_from: null,
      rotated_to: null,
    })
    expect(id).toMatch(/^key_[0-7][0-9a-hjkmnp-tv-z]{25}$/)
    expect(created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(Math.abs(Date.parse(created_at) - before)).toBeLessThan(5000)
    expect(created_by).toEqual({ type: 'api_key', id: expect.stringMatching(/^key_/) })
    expect(headers.location).toBe(`/api/v2/settings/api-keys/${id}`)
    expect(headers.etag).toMatch(/^"[^"]+"$/)
  })

  test.each(['live', 'test'])('a %s key says so, and shows only its prefix', async (environment) => {
    const { body } = await create({ environment })
    expect(body.api_key).toMatch(new RegExp(`^oct_org_${environment}_[0-9A-Za-z]{38}$`))
    expect(body.environment).toBe(environment)
    expect(body.prefix).toBe(body.api_key.slice(0, `oct_org_${environment}_`.length + 4))
  })

  test('the raw key is only in the answer of its creation', async () => {
    const { body } = await create()
    expect((await use(body.api_key)).status).toBe(200)
    const later = [
      await invoke('api-keys/get', { token: org.adminKey, params: { key_id: body.id } }),
      await invoke('api-keys/list', { token: org.adminKey }),
      await invoke('audit-events/list', { token: org.adminKey }),
      await invoke('api-keys/revoke', { token: org.adminKey, params: { key_id: body.id } }),
    ]
    for (const { status, text } of later) {
      expect(status).toBe(200)
      expect(text).not.toContain(body.api_key.slice(-20))
      expect(text).not.toContain('"api_key":')
    }
  })

  test('the stored key has the requested fields', async () => {
    const given = {
      name: 'Größe 🚀',
      scopes: ['models:read', 'keys:read'],
      environment: 'test',
      expires_at: '2099-12-31T23:59:59.123Z',
      federation_id: 'fed-1',
      model_id: 'm:1.2_x',
      rate_limit_per_minute: 7,
    }
    const { body } = await create(given)
    expect(body).toMatchObject(given)
    expect(await get(body.id)).toMatchObject(given)
  })

  test('a bundle is stored by its name, and allows the operations of its scopes', async () => {
    const { body } = await create({ scopes: ['admin:read'] })
    expect(body.scopes).toEqual(['admin:read'])
    for (const name of ['api-keys/list', 'audit-events/list'] as const) {
      expect((await invoke(name, { token: body.api_key })).status).toBe(200)
    }
    expectProblem(await create({}, { token: body.api_key }), 'forbidden')
  })

  test('null in an optional field means the same as an absent field', async () => {
    const { status, body } = await create({
      expires_at: null,
      federation_id: null,
      model_id: null,
      rate_limit_per_minute: null,
    })
    expect(status).toBe(201)
    expect(body).toMatchObject({ expires_at: null, federation_id: null, rate_limit_per_minute: null })
  })

  test('an expiry with an offset is recorded in UTC with milliseconds', async () => {
    const { body } = await create({ expires_at: '2099-06-01T12:00:00+02:00' })
    expect(body.expires_at).toBe('2099-06-01T10:00:00.000Z')
  })

  test.each(['9999-12-31T23:59:59-00:01', '9999-12-31T23:59:59-23:59'])(
    'an expiry that is in no four-digit year of UTC, %s, is not recorded in a form of its own',
    async (expires_at) => {
      const { status, body } = await create({ expires_at })
      if (status === 201) expect(body.expires_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      else expect(status).toBe(400)
    },
  )

  test('it leaves one event, with the key’s permissions and never with the key', async () => {
    const { body, headers } = await create({ name: 'told', expires_at: '2099-01-01T00:00:00Z' })
    const event = await newestEvent()
    expect(event).toMatchObject({
      action: 'api_key.created',
      result: 'success',
      resource: { type: 'api_key', id: body.id, name: 'told' },
      actor: body.created_by,
      request_id: headers['x-request-id'],
      ip: '127.0.0.1',
      user_agent: 'vitest',
    })
    expect(event.changes).toEqual([
      { field: 'name', after: 'told' },
      { field: 'key_type', after: 'org' },
      { field: 'prefix', after: body.prefix },
      { field: 'scopes', after: ['keys:read'] },
      { field: 'environment', after: 'live' },
      { field: 'allowed_origins', after: [] },
      { field: 'allowed_app_ids', after: [] },
      { field: 'expires_at', after: '2099-01-01T00:00:00.000Z' },
    ])
    const hash = createHash('sha256').update(body.api_key).digest('hex')
    expect(JSON.stringify(event)).not.toContain(hash)
  })

  test('a person who creates a key is named with address and subject', async () => {
    const { body } = await create({}, { token: owner })
    expect(body.created_by).toEqual({ type: 'user', id: 'user-owner', email: 'owner@example.com' })
    expect((await newestEvent()).actor).toEqual(body.created_by)
  })

  test.each([
    ['name', undefined],
    ['name', ''],
    ['name', '   '],
    ['name', 'x'.repeat(101)],
    ['name', 'a\nb'],
    ['name', null],
    ['name', 7],
    ['scopes', undefined],
    ['scopes', []],
    ['scopes', 'keys:read'],
    ['scopes', null],
    ['environment', 'prod'],
    ['environment', null],
    ['expires_at', '2020-01-01T00:00:00Z'],
    ['expires_at', '2099-01-01T00:00:00'],
    ['expires_at', '2099-01-01'],
    ['expires_at', '2099-02-30T00:00:00Z'],
    ['expires_at', 'tomorrow'],
    ['expires_at', 4_102_444_800],
    ['federation_id', ''],
    ['federation_id', 'a b'],
    ['model_id', 'x'.repeat(129)],
    ['model_id', {}],
    ['rate_limit_per_minute', 0],
    ['rate_limit_per_minute', -1],
    ['rate_limit_per_minute', 1.5],
    ['rate_limit_per_minute', 100_001],
    ['rate_limit_per_minute', '10'],
  ])('%s as %j is 400, and the field is named', async (field, value) => {
    const response = await create({ [field]: value })
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual([field])
  })

  test('each unknown scope is named by its position', async () => {
    const response = await create({ scopes: ['keys:read', 'keys:rule', 'models:read', 'KEYS:READ', 7] })
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual(['scopes.1', 'scopes.3', 'scopes.4'])
  })

  test('every faulty field is named at once', async () => {
    const response = await create({ name: '', scopes: [], environment: 'prod', rate_limit_per_minute: 0, more: 1 })
    expect(faultPaths(response).sort()).toEqual(['environment', 'more', 'name', 'rate_limit_per_minute', 'scopes'])
  })

  test('the bounds of name and rate limit are within them', async () => {
    for (const body of [
      { name: 'x' },
      { name: 'x'.repeat(100) },
      { rate_limit_per_minute: 1 },
      { rate_limit_per_minute: 100_000 },
    ]) {
      expect((await create(body)).status).toBe(201)
    }
  })
})

describe('granting scopes', () => {
  test('a key can grant its own scopes, and the error for any other scope names it', async () => {
    const { api_key } = await makeKey(org, { scopes: ['keys:write', 'models:read'] })
    expect((await create({ scopes: ['models:read'] }, { token: api_key })).status).toBe(201)
    const response = await create({ scopes: ['models:read', 'settings:read', 'auth:write'] }, { token: api_key })
    expectProblem(response, 'forbidden')
    expect(response.body.detail).toContain('settings:read')
    expect(response.body.detail).toContain('auth:write')
    expect(response.body.detail).not.toContain('models:read')
  })

  test('a grant that is refused is in the trail as denied, and no key came of it', async () => {
    const { api_key, id } = await makeKey(org, { scopes: ['keys:write'] })
    const response = await create({ name: 'never', scopes: ['audit:read'] }, { token: api_key })
    expect(response.status).toBe(403)
    expect(await newestEvent()).toMatchObject({
      action: 'api_key.created',
      result: 'denied',
      actor: { type: 'api_key', id },
      resource: { type: 'api_key' },
      request_id: response.body.request_id,
    })
    const { body } = await invoke('api-keys/list', { token: org.adminKey, query: { limit: '1' } })
    expect(body.data[0].name).not.toBe('never')
  })

  test('an admin cannot grant admin:write, for it lacks billing:write; an owner can', async () => {
    const response = await create({ scopes: ['admin:write'] }, { token: admin })
    expectProblem(response, 'forbidden')
    expect(response.body.detail).toContain('billing:write')
    expect(response.body.detail).not.toContain('settings:write')
    expect((await create({ scopes: ['admin:write'] }, { token: owner })).status).toBe(201)
    expect((await create({ scopes: ['admin:read', 'cloud:credentials'] }, { token: admin })).status).toBe(201)
  })

  test('a member cannot create keys', async () => {
    const response = await create({}, { token: member })
    expectProblem(response, 'forbidden')
    expect(response.body.detail).toContain('keys:write')
  })

  test('who holds a bundle holds its parts, and who holds all parts holds the bundle', async () => {
    const { api_key: bundle } = await makeKey(org, { scopes: ['admin:write'] })
    expect((await create({ scopes: ['billing:write', 'admin:read', 'admin:write'] }, { token: bundle })).status).toBe(
      201,
    )
    const parts = [
      'keys:read',
      'billing:read',
      'execution:read',
      'settings:read',
      'integrations:read',
      'audit:read',
      'usage:read',
    ]
    const { api_key: all } = await makeKey(org, { scopes: [...parts, 'keys:write'] })
    expect((await create({ scopes: ['admin:read'] }, { token: all })).status).toBe(201)
    const { api_key: most } = await makeKey(org, { scopes: [...parts.slice(1), 'keys:write'] })
    const refused = await create({ scopes: ['admin:read'] }, { token: most })
    expectProblem(refused, 'forbidden')
    expect(refused.body.detail).toContain('keys:read')
  })

  test('no org key can hold billing:override, for any caller', async () => {
    for (const token of [owner, admin, org.adminKey]) {
      const response = await create({ scopes: ['keys:read', 'billing:override'] }, { token })
      expectProblem(response, 'invalid_input')
      expect(faultPaths(response)).toEqual(['scopes.1'])
    }
  })
})

describe('using a key', () => {
  test('a key works until the instant of its expiry, and then gets the error that it has expired', async () => {
    const start = Date.now()
    const { api_key, id } = await makeKey(org, { expires_at: new Date(start + 60_000).toISOString() })
    vi.useFakeTimers({ toFake: ['Date'], now: start + 59_999 })
    expect((await use(api_key)).status).toBe(200)
    expect((await get(id)).state).toBe('active')
    vi.setSystemTime(start + 60_000)
    const refused = await use(api_key)
    expectProblem(refused, 'token_expired')
    expect(refused.headers['www-authenticate']).toContain('invalid_token')
    expect((await get(id)).state).toBe('expired')
  })

  test('last_used_at is set by the first use, and is never more than 5 minutes behind', async () => {
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    const { api_key, id } = await makeKey(org)
    expect((await get(id)).last_used_at).toBeNull()
    let written = 0
    let last = ''
    for (let seconds = 1; seconds < 1200; seconds += 31) {
      vi.setSystemTime(start + seconds * 1000)
      expect((await use(api_key)).status).toBe(200)
      const { last_used_at } = await get(id)
      expect(start + seconds * 1000 - Date.parse(last_used_at)).toBeGreaterThanOrEqual(0)
      expect(start + seconds * 1000 - Date.parse(last_used_at)).toBeLessThanOrEqual(300_000)
      if (last_used_at !== last) written++
      last = last_used_at
    }
    expect(written).toBeGreaterThanOrEqual(4)
    expect(written).toBeLessThanOrEqual(6)
  })

  test('a refused key is not marked as used', async () => {
    const { api_key, id } = await makeKey(org)
    await invoke('api-keys/revoke', { token: org.adminKey, params: { key_id: id } })
    expectProblem(await use(api_key), 'invalid_api_key')
    expect((await get(id)).last_used_at).toBeNull()
  })
})
