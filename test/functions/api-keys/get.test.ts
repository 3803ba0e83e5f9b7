import { beforeAll, describe, expect, test } from 'vitest'
import { invoke } from '../../support/invoke.ts'
import { makeKey, makeOrg, type TestOrg } from '../../support/orgs.ts'
import { bareProblem, expectProblem } from '../../support/problems.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeOrg()
})

const get = (id: string, token = org.readOnlyKey) => invoke('api-keys/get', { token, params: { key_id: id } })

describe('getting a key', () => {
  test.each([
    ['api-keys/create', {}],
    ['api-keys/create-app-key', {}],
    ['api-keys/create-publishable-key', { allowed_origins: ['https://app.example.com'] }],
  ] as const)('answers the record of %s with the same ETag, and without the raw key', async (operation, body) => {
    const response = await invoke(operation, {
      token: org.adminKey,
      body: {
        name: 'k',
        ...(operation === 'api-keys/create' ? { scopes: ['keys:read'] } : {}),
        ...(operation === 'api-keys/create-app-key' ? { app_id: 'a' } : {}),
        ...body,
      },
    })
    const { api_key, ...record } = response.body
    expect(api_key).toMatch(/^oct_/)
    const got = await get(record.id)
    expect(got.status).toBe(200)
    expect(got.body).toEqual(record)
    expect(Object.keys(got.body)).toEqual(Object.keys(record))
    expect(got.headers.etag).toBe(response.headers.etag)
    const fromLocation = response.headers.location?.split('/').at(-1)
    expect(fromLocation).toBe(record.id)
  })

  test('the ETag changes when the record does', async () => {
    const { id } = await makeKey(org)
    const before = await get(id)
    const revoked = await invoke('api-keys/revoke', { token: org.adminKey, params: { key_id: id } })
    const after = await get(id)
    expect(after.headers.etag).not.toBe(before.headers.etag)
    expect(after.headers.etag).toBe(revoked.headers.etag)
    expect(after.body).toEqual(revoked.body)
  })

  test('a request with the current ETag gets 304 without a body, until the record changes', async () => {
    const { id } = await makeKey(org)
    const ask = (tags: string) =>
      invoke('api-keys/get', { token: org.readOnlyKey, params: { key_id: id }, headers: { 'if-none-match': tags } })
    const { etag = '' } = (await get(id)).headers
    for (const tags of [etag, `"other", ${etag}`, `W/${etag}`, '*']) {
      const { status, text, headers } = await ask(tags)
      expect([status, text]).toEqual([304, ''])
      expect(headers.etag).toBe(etag)
      expect(headers['x-request-id']).toMatch(/^\S+$/)
    }
    expect((await ask('"other"')).status).toBe(200)
    await invoke('api-keys/revoke', { token: org.adminKey, params: { key_id: id } })
    expect((await ask(etag)).status).toBe(200)
  })

  test('a key can read its own record when it holds keys:read', async () => {
    const { id, api_key } = await makeKey(org, { scopes: ['keys:read'] })
    expect((await get(id, api_key)).body.id).toBe(id)
    const { id: other, api_key: poor } = await makeKey(org, { scopes: ['models:read'] })
    expectProblem(await get(other, poor), 'forbidden')
  })

  test('a key of another org is the same 404 as one that does not exist', async () => {
    const stranger = await makeOrg()
    const { id } = await makeKey(stranger)
    const foreign = await get(id)
    const unknown = await get('key_01jd3v7k3q9x5m2n8r4t6w0y1z')
    expectProblem(foreign, 'not_found')
    expect(bareProblem(foreign)).toEqual(bareProblem(unknown))
  })
})
