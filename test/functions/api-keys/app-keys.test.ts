import { beforeAll, describe, expect, test } from 'vitest'
import { invoke, type Request } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'

const appScopes = ['catalog:read', 'models:read', 'cloud:inference', 'telemetry:write', 'control:refresh']

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

const create = (body: object = {}, request: Request = {}) =>
  invoke('api-keys/create-app-key', {
    token: org.adminKey,
    body: { name: 'app', app_id: 'app-1', ...body },
    ...request,
  })

describe('creating an app key', () => {
  test.each(['live', 'test'])('a %s key is bound to its app and holds the scopes of app keys', async (environment) => {
    const { status, body, headers } = await create({ environment, expires_at: '2099-01-01T00:00:00Z' })
    expect(status).toBe(201)
    expect(body.api_key).toMatch(new RegExp(`^oct_app_${environment}_[0-9A-Za-z]{38}$`))
    expect(body).toMatchObject({
      key_type: 'app',
      app_id: 'app-1',
      environment,
      scopes: appScopes,
      allowed_origins: [],
      rate_limit_per_minute: null,
      expires_at: '2099-01-01T00:00:00.000Z',
      state: 'active',
    })
    expect(body.prefix).toBe(body.api_key.slice(0, `oct_app_${environment}_`.length + 4))
    expect(headers.location).toBe(`/api/v2/settings/api-keys/${body.id}`)
    expect((await invoke('api-keys/scopes', { token: body.api_key })).status).toBe(200)
  })

  test('its scopes are given and not chosen', async () => {
    const response = await create({ scopes: ['keys:read'] })
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual(['scopes'])
  })

  test.each([
    ['app_id', undefined],
    ['app_id', null],
    ['app_id', ''],
    ['app_id', 'a b'],
    ['name', undefined],
    ['environment', 'prod'],
    ['expires_at', '2020-01-01T00:00:00Z'],
  ])('%s as %j is 400, and the field is named', async (field, value) => {
    const response = await create({ [field]: value })
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual([field])
  })

  test('the caller must hold the scopes of app keys, and the error names the missing ones', async () => {
    const { api_key } = await makeKey(org, { scopes: ['keys:write', 'catalog:read', 'models:read'] })
    const response = await create({}, { token: api_key })
    expectProblem(response, 'forbidden')
    for (const scope of appScopes.slice(2)) expect(response.body.detail).toContain(scope)
    for (const scope of appScopes.slice(0, 2)) expect(response.body.detail).not.toContain(scope)
    expect((await create({}, { token: await tokenFor(org.orgId, 'admin') })).status).toBe(201)
  })

  test('an app key administers nothing', async () => {
    const { body } = await create()
    for (const name of ['api-keys/list', 'audit-events/list'] as const) {
      expectProblem(await invoke(name, { token: body.api_key }), 'forbidden')
    }
    expectProblem(await create({}, { token: body.api_key }), 'forbidden')
  })

  test('a rotation keeps the app', async () => {
    const { body } = await create({ app_id: 'app-7' })
    const rotated = await invoke('api-keys/rotate', { token: org.adminKey, params: { key_id: body.id } })
    expect(rotated.body).toMatchObject({ key_type: 'app', app_id: 'app-7', scopes: appScopes, rotated_from: body.id })
    expect(rotated.body.api_key).toMatch(/^oct_app_live_/)
  })
})
