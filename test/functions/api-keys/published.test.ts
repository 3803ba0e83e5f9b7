/** API keys as the platform's published clients know them. Every answer is held against its closed record. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { OperationName } from '../../../functions/operations.ts'
import { invoke, invokePublished } from '../../support/invoke.ts'
import { makeBusyOrg, makeOrg, type TestOrg } from '../../support/orgs.ts'

let org: TestOrg
const call = <Name extends OperationName>(name: Name, request: object = {}, index = 0) =>
  invokePublished(name, { token: org.adminKey, ...request }, index)

beforeAll(async () => {
  org = await makeOrg()
})

describe('an org key', () => {
  test('is created with a list of scopes, and shown with a map of them', async () => {
    const created = await call('api-keys/create', {
      body: { name: 'server', scopes: ['keys:read'], expires_in_days: 2 },
    })
    expect(created.status, created.text).toBe(201)
    expect(created.body).toMatchObject({ org_id: org.orgId, scopes: { 'keys:read': true } })
    expect(created.body.api_key).toMatch(/^oct_org_live_/)
    expect(created.headers.location).toBeUndefined()
    const ours = await invoke('api-keys/get', { token: org.adminKey, params: { key_id: created.body.id } })
    expect(Date.parse(ours.body.expires_at) - Date.now()).toBeGreaterThan(2 * 86_400_000 - 60_000)
  })

  test('may have a name of 255 characters, which our own face shows', async () => {
    const name = 'n'.repeat(255)
    const created = await call('api-keys/create', { body: { name, scopes: ['keys:read'] } })
    expect(created.status, created.text).toBe(201)
    const ours = await invoke('api-keys/get', { token: org.adminKey, params: { key_id: created.body.id } })
    expect(ours.body.name).toBe(name)
    expect((await call('api-keys/create', { body: { name: `${name}n`, scopes: ['keys:read'] } })).status).toBe(400)
  })

  test('is replayed with an empty text in the place of the secret', async () => {
    const request = { body: { name: 'twice', scopes: ['keys:read'] }, headers: { 'idempotency-key': 'published-1' } }
    const [first, second] = [await call('api-keys/create', request), await call('api-keys/create', request)]
    expect(second.body).toEqual({ ...first.body, api_key: '' })
  })

  test('is refused with the faults under the published names', async () => {
    const refused = await call('api-keys/create', {
      body: { name: 'x', scopes: ['keys:read'], expires_in_days: 0, more: 1 },
    })
    expect(refused.status).toBe(400)
    expect(refused.headers['content-type']).toBe('application/json')
    expect(refused.body.error.code).toBe('invalid_input')
    expect(refused.body.error.details.errors.map(({ path }: { path: string }) => path).sort()).toEqual([
      'expires_in_days',
      'more',
    ])
  })

  test('is rotated, revoked, and not revoked again', async () => {
    const { body: key } = await call('api-keys/create', { body: { name: 'r', scopes: ['keys:read'] } })
    const rotated = await call('api-keys/rotate', { params: { key_id: key.id } })
    expect(rotated.status, rotated.text).toBe(201)
    expect(rotated.body.api_key).toMatch(/^oct_org_live_/)
    const params = { key_id: rotated.body.id }
    const revoked = await call('api-keys/revoke', { params })
    expect(revoked.body).toMatchObject({ id: params.key_id, is_active: false })
    const again = await call('api-keys/revoke', { params })
    expect([again.status, again.body.error.code]).toEqual([409, 'api_key_already_revoked'])
    const unknown = await call('api-keys/revoke', { params: { key_id: 'key_01jd3v7k3q9x5m2n8r4t6w0y11' } })
    expect([unknown.status, unknown.body.error.code]).toEqual([404, 'api_key_not_found'])
  })
})

test('app and publishable keys are created, and listed in one array', async () => {
  const app = await call('api-keys/create-app-key', { body: { name: 'bot', app_id: 'bot-1' } })
  expect(app.body.key, app.text).toMatch(/^oct_app_live_/)
  const web = await call('api-keys/create-publishable-key', {
    body: { name: 'web', allowed_app_ids: ['bot-1'], allowed_origins: ['https://a.example'], rate_limit_rpm: 60 },
  })
  expect(web.body, web.text).toMatchObject({ allowed_app_ids: ['bot-1'], rate_limit_rpm: 60 })
  const list = await call('api-keys/list')
  expect(list.body.map(({ key_type }: { key_type: string }) => key_type).slice(0, 2)).toEqual([
    'publishable_key',
    'app_key',
  ])
})

test('a list of more than 100 continues at its Link', async () => {
  const many = await makeBusyOrg()
  const body = { name: 'one of many', scopes: ['keys:read'] }
  for (let made = 0; made < 101; made += 1) await invokePublished('api-keys/create', { token: many.adminKey, body })
  const first = await invokePublished('api-keys/list', { token: many.adminKey })
  expect(first.body).toHaveLength(100)
  const [, next = ''] = /^<([^>]+)>; rel="next"$/.exec(first.headers.link ?? '') ?? []
  const { pathname, searchParams } = new URL(next, 'https://api.example')
  expect(pathname).toBe('/api/v1/settings/api-keys')
  const second = await invokePublished('api-keys/list', {
    token: many.adminKey,
    query: Object.fromEntries(searchParams),
  })
  expect(second.body.length).toBeGreaterThan(0)
  expect(second.headers.link).toBeUndefined()
})

test('the scope registry says which scopes an operation here requires', async () => {
  const { body } = await call('api-keys/scopes')
  expect(body.scopes['keys:read']?.status).toBe('enforced')
  expect(body.scopes['models:read']?.status).toBe('recognized')
  expect(body.org_key.groups.control?.scopes).toContain('keys:read')
})

describe('the older client', () => {
  test.each([
    [{}, ['catalog:read', 'models:read']],
    [{ 'keys:read': true, 'models:read': false }, ['keys:read']],
    [{ models: 'read', keys: ['read'] }, ['keys:read', 'models:read']],
  ])('creates a key with the scopes %j', async (scopes, expected) => {
    const created = await call('api-keys/create', { body: { org_id: org.orgId, name: 'older', scopes } }, 1)
    expect(created.status, created.text).toBe(201)
    expect(Object.keys(created.body.scopes).sort()).toEqual(expected)
  })

  test('lists and revokes', async () => {
    const list = await call('api-keys/list', { query: { org_id: org.orgId } }, 1)
    expect(list.body.length).toBeGreaterThan(0)
    const revoked = await call('api-keys/revoke', { params: { key_id: list.body[0].id } }, 1)
    expect(revoked.status, revoked.text).toBe(200)
  })

  test('is refused for another organization', async () => {
    const body = { org_id: 'org_01jd3v7k3q9x5m2n8r4t6w0y11', name: 'older', scopes: {} }
    const refused = await call('api-keys/create', { body }, 1)
    expect([refused.status, refused.body.error.code]).toEqual([403, 'forbidden'])
  })
})
