import { beforeAll, describe, expect, test } from 'vitest'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

type Token = { token?: string; ifMatch?: string }
const edit = (id: string, body: object, { token = org.adminKey, ifMatch }: Token = {}) =>
  invoke('api-keys/update', {
    token,
    params: { key_id: id },
    body,
    ...(ifMatch === undefined ? {} : { headers: { 'if-match': ifMatch } }),
  })
const get = (id: string) => invoke('api-keys/get', { token: org.adminKey, params: { key_id: id } })
const statusWith = async (token: string) => (await invoke('api-keys/list', { token })).status
const later = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()
const eventsOf = async (id: string) =>
  (await invoke('audit-events/list', { token: org.adminKey, query: { resource_id: id, action: 'api_key.updated' } }))
    .body.data
const publishable = (body: object = {}) => makeKey(org, body, 'api-keys/create-publishable-key')

describe('editing a key', () => {
  test('answers the changed record, and the record is so from then on', async () => {
    const { api_key, ...key } = await makeKey(org)
    const expires_at = later(3600)
    const changes = { name: 'renamed', expires_at, rate_limit_per_minute: 500, scopes: ['keys:read', 'audit:read'] }
    const { status, body, headers } = await edit(key.id, changes)
    expect(status).toBe(200)
    expect(body).toEqual({ ...key, ...changes })
    const read = await get(key.id)
    expect([read.body, read.headers.etag]).toEqual([body, headers.etag])
    expect(api_key).not.toBe('')
  })

  test('the next request with the key has the new scopes, rate and end', async () => {
    const key = await makeKey(org, { scopes: ['keys:read'] })
    expect(await statusWith(key.api_key)).toBe(200)
    await edit(key.id, { scopes: ['audit:read'], rate_limit_per_minute: 7 })
    expect(await statusWith(key.api_key)).toBe(403)
    const read = await invoke('audit-events/list', { token: key.api_key })
    expect([read.status, read.headers['ratelimit-policy']]).toEqual([200, '"default";q=7;w=60'])
    await edit(key.id, { expires_at: later(1) })
    await new Promise((resolve) => setTimeout(resolve, 1100))
    expect(await statusWith(key.api_key)).toBe(401)
  })

  test('null clears the end, and sets the rate to the default of the type', async () => {
    const ending = await makeKey(org, { expires_at: later(60), rate_limit_per_minute: 5 })
    const { body } = await edit(ending.id, { expires_at: null, rate_limit_per_minute: null })
    expect(body).toMatchObject({ expires_at: null, rate_limit_per_minute: null })
    const open = await publishable({ rate_limit_per_minute: 5 })
    expect((await edit(open.id, { rate_limit_per_minute: null })).body.rate_limit_per_minute).toBe(60)
  })

  test('sets the origins and apps of a publishable key', async () => {
    const { id } = await publishable({ environment: 'test' })
    const changes = { allowed_origins: ['https://a.example', 'http://localhost:*'], allowed_app_ids: ['app-1'] }
    expect((await edit(id, changes)).body).toMatchObject(changes)
    const live = await publishable()
    const refused = await edit(live.id, { allowed_origins: ['https://a.example', 'http://localhost:*'] })
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual(['allowed_origins.1'])
  })

  test.each([
    ['an org key', 'api-keys/create', { allowed_origins: [], allowed_app_ids: [] }, 'allowed_origins allowed_app_ids'],
    [
      'an app key',
      'api-keys/create-app-key',
      { scopes: ['models:read'], allowed_origins: [] },
      'scopes allowed_origins',
    ],
    ['a publishable key', 'api-keys/create-publishable-key', { scopes: ['models:read', 'keys:read'] }, 'scopes.1'],
  ] as const)('%s refuses what keys of its type do not have, each named', async (_what, operation, body, paths) => {
    const { id } = await makeKey(org, {}, operation)
    const refused = await edit(id, body)
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual(paths.split(' '))
  })

  test.each([
    [{}, ''],
    [{ name: null }, 'name'],
    [{ scopes: null }, 'scopes'],
    [{ scopes: [] }, 'scopes'],
    [{ scopes: ['billing:override'] }, 'scopes.0'],
    [{ expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
    [{ rate_limit_per_minute: 0 }, 'rate_limit_per_minute'],
    [{ environment: 'test' }, 'environment'],
    [{ key_type: 'app' }, 'key_type'],
  ])('refuses %j', async (body, path) => {
    const { id } = await makeKey(org)
    const refused = await edit(id, body)
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toContain(path)
  })

  test('is recorded field by field, and what changes nothing is not', async () => {
    const { id } = await makeKey(org, { name: 'before' })
    const same = await edit(id, { name: 'before', expires_at: null })
    expect([same.status, same.headers.etag]).toEqual([200, (await get(id)).headers.etag])
    expect(await eventsOf(id)).toEqual([])
    await edit(id, { name: 'after', rate_limit_per_minute: 9 })
    expect(await eventsOf(id)).toMatchObject([
      {
        actor: { type: 'api_key' },
        resource: { type: 'api_key', id, name: 'after' },
        changes: [
          { field: 'name', before: 'before', after: 'after' },
          { field: 'rate_limit_per_minute', before: null, after: 9 },
        ],
      },
    ])
  })

  test('a revoked, retiring or expired key is 409', async () => {
    const revoked = await makeKey(org)
    await invoke('api-keys/revoke', { token: org.adminKey, params: { key_id: revoked.id } })
    const retiring = await makeKey(org)
    const rotation = { token: org.adminKey, params: { key_id: retiring.id }, body: { overlap_seconds: 60 } }
    await invoke('api-keys/rotate', rotation)
    const expired = await makeKey(org, { expires_at: later(0.5) })
    await new Promise((resolve) => setTimeout(resolve, 600))
    for (const [state, { id }] of Object.entries({ revoked, retiring, expired })) {
      const refused = await edit(id, { name: 'x' })
      expectProblem(refused, 'conflict')
      expect(refused.body.detail).toContain(state)
    }
  })

  test('If-Match of an older version is 412, and use alone makes no new version', async () => {
    const { id, api_key } = await makeKey(org)
    const { etag = '' } = (await get(id)).headers
    expect(await statusWith(api_key)).toBe(200)
    expect((await get(id)).body.last_used_at).not.toBeNull()
    expect((await get(id)).headers.etag).toBe(etag)
    expect((await edit(id, { name: 'first' }, { ifMatch: etag })).status).toBe(200)
    expectProblem(await edit(id, { name: 'second' }, { ifMatch: etag }), 'precondition_failed')
    expect((await get(id)).body.name).toBe('first')
  })

  test('of ten edits at once under one ETag exactly one lands', async () => {
    const { id } = await makeKey(org)
    const { etag = '' } = (await get(id)).headers
    const names = Array.from({ length: 10 }, (_, index) => `name ${index}`)
    const answers = await Promise.all(names.map((name) => edit(id, { name }, { ifMatch: etag })))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(412)])
    expect((await get(id)).body.name).toBe(answers.find(({ status }) => status === 200)?.body.name)
  })

  test('edits of different fields at once all land', async () => {
    const { id } = await makeKey(org)
    const changes = { name: 'all', rate_limit_per_minute: 77, scopes: ['keys:read', 'audit:read'] }
    await Promise.all(Object.entries(changes).map(([field, value]) => edit(id, { [field]: value })))
    expect((await get(id)).body).toMatchObject(changes)
  })

  test('a rotation at the same time never revives what an edit took away', async () => {
    for (let round = 0; round < 5; round++) {
      const { id } = await makeKey(org, { scopes: ['keys:read', 'audit:read'] })
      const rotation = invoke('api-keys/rotate', { token: org.adminKey, params: { key_id: id } })
      const [edited, rotated] = await Promise.all([edit(id, { scopes: ['keys:read'] }), rotation])
      expect(rotated.status).toBe(201)
      if (edited.status === 200) expect(rotated.body.scopes).toEqual(['keys:read'])
      else expectProblem(edited, 'conflict')
    }
  })
})

describe('who may edit', () => {
  const caller = async (body: object) => (await makeKey(org, { scopes: ['keys:write'], ...body })).api_key

  test('needs of the scopes only those that it adds', async () => {
    const rich = await makeKey(org, { scopes: ['keys:read', 'audit:read'] })
    const token = await caller({})
    expect((await edit(rich.id, { name: 'renamed' }, { token })).status).toBe(200)
    expect((await edit(rich.id, { scopes: ['keys:read'] }, { token })).status).toBe(200)
    const refused = await edit(rich.id, { scopes: ['keys:read', 'billing:write'] }, { token })
    expectProblem(refused, 'forbidden')
    expect(refused.body.detail).toContain('billing:write')
    expect(refused.body.detail).not.toContain('keys:read')
  })

  test('no key sets a later end than its own', async () => {
    const end = later(600)
    const token = await caller({ expires_at: end })
    const { id } = await makeKey(org, { expires_at: later(300) })
    expect((await edit(id, { expires_at: end }, { token })).status).toBe(200)
    expectProblem(await edit(id, { expires_at: later(700) }, { token }), 'forbidden')
    expectProblem(await edit(id, { expires_at: null }, { token }), 'forbidden')
  })

  test('test keys, bound keys and retiring keys edit no more than they may issue', async () => {
    const live = await makeKey(org)
    expectProblem(await edit(live.id, { name: 'x' }, { token: await caller({ environment: 'test' }) }), 'forbidden')
    expectProblem(await edit(live.id, { name: 'x' }, { token: await caller({ model_id: 'm-1' }) }), 'forbidden')
    const old = await makeKey(org, { scopes: ['keys:write'] })
    await invoke('api-keys/rotate', { token: org.adminKey, params: { key_id: old.id }, body: { overlap_seconds: 60 } })
    expectProblem(await edit(live.id, { name: 'x' }, { token: old.api_key }), 'forbidden')
  })

  test('a denied edit is in the trail, and a member may not edit', async () => {
    const { id } = await makeKey(org)
    expectProblem(await edit(id, { name: 'x' }, { token: await tokenFor(org.orgId, 'member') }), 'forbidden')
    expect(await eventsOf(id)).toMatchObject([{ result: 'denied', actor: { type: 'user' } }])
  })
})
