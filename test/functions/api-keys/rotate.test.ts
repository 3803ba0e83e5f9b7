import { beforeAll, describe, expect, test } from 'vitest'
import { invoke } from '../../support/invoke.ts'
import { makeOrg, type TestOrg } from '../../support/orgs.ts'
import { memberOf } from '../../support/readable.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeOrg()
})

const create = async (body: object = {}) => {
  const response = await invoke('api-keys/create', {
    token: org.adminKey,
    body: { name: 'server', scopes: ['keys:read'], ...body },
  })
  expect(response.status).toBe(201)
  return response.body
}
const rotate = (id: string, body?: object, token = org.adminKey) =>
  invoke('api-keys/rotate', { token, params: { key_id: id }, ...(body ? { body } : {}) })
const statusWith = async (token: string) => (await invoke('api-keys/scopes', { token })).status

describe('rotating a key', () => {
  test('answers a replacement with the same configuration and a new raw key', async () => {
    const expires_at = new Date(Date.now() + 3_600_000).toISOString()
    const old = await create({
      environment: 'test',
      federation_id: 'fed-1',
      model_id: 'm-1',
      rate_limit_per_minute: 7,
      expires_at,
    })
    const { status, body, headers } = await rotate(old.id)
    expect(status).toBe(201)
    expect(body.api_key).toMatch(/^oct_org_test_/)
    expect(body.api_key).not.toBe(old.api_key)
    const { id, prefix, api_key, created_at, rotated_from, ...same } = body
    expect(same).toEqual({
      ...Object.fromEntries(Object.keys(same).map((name) => [name, memberOf(old, name)])),
      created_by: same.created_by,
    })
    expect(rotated_from).toBe(old.id)
    expect(headers.location).toBe(`/api/v2/settings/api-keys/${id}`)
    const before = await invoke('api-keys/get', { token: org.adminKey, params: { key_id: old.id } })
    expect(before.body).toMatchObject({ state: 'revoked', rotated_to: id })
  })

  test('with no overlap the old key is refused by the very next request, and the new one works', async () => {
    const old = await create()
    expect(await statusWith(old.api_key)).toBe(200)
    const { body } = await rotate(old.id, {})
    expect(await statusWith(old.api_key)).toBe(401)
    expect(await statusWith(body.api_key)).toBe(200)
  })

  test('with an overlap the old key goes on working as retiring, and cannot be rotated again', async () => {
    const old = await create()
    const { body } = await rotate(old.id, { overlap_seconds: 60 })
    expect(await statusWith(old.api_key)).toBe(200)
    expect(await statusWith(body.api_key)).toBe(200)
    const record = await invoke('api-keys/get', { token: org.adminKey, params: { key_id: old.id } })
    expect(record.body.state).toBe('retiring')
    expect(Date.parse(record.body.revoked_at)).toBeGreaterThan(Date.now())
    const again = await rotate(old.id)
    expect(again.status).toBe(409)
    expect(again.body).toMatchObject({ code: 'conflict' })
    expect(again.body.detail).toContain('retiring')
  })

  test('an overlap never outlives the old key', async () => {
    const expires_at = new Date(Date.now() + 30_000).toISOString()
    const old = await create({ expires_at })
    await rotate(old.id, { overlap_seconds: 86_400 })
    const record = await invoke('api-keys/get', { token: org.adminKey, params: { key_id: old.id } })
    expect(record.body.revoked_at).toBe(expires_at)
  })

  test('of 50 concurrent rotations exactly one succeeds, the others get a conflict, and one key of the family works', async () => {
    const old = await create()
    const answers = await Promise.all(Array.from({ length: 50 }, () => rotate(old.id)))
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([201, ...Array(49).fill(409)])
    const winner = answers.find(({ status }) => status === 201)
    expect(await statusWith(old.api_key)).toBe(401)
    expect(await statusWith(winner?.body.api_key ?? '')).toBe(200)
    const list = await invoke('api-keys/list', { token: org.adminKey, query: { limit: '100' } })
    const family = list.body.data.filter((key: { rotated_from: string }) => key.rotated_from === old.id)
    expect(family).toHaveLength(1)
  })

  test('a caller that lacks scopes of the key cannot rotate it, and the error names them', async () => {
    const rich = await create({ scopes: ['keys:write', 'audit:read'] })
    const poor = await create({ scopes: ['keys:write'] })
    const { status, body } = await rotate(rich.id, {}, poor.api_key)
    expect(status).toBe(403)
    expect(body.detail).toContain('audit:read')
    expect(await statusWith(rich.api_key)).toBe(200)
  })

  test('a key of another org is the same 404 as one that does not exist', async () => {
    const other = await makeOrg()
    const theirs = await invoke('api-keys/create', {
      token: other.adminKey,
      body: { name: 'x', scopes: ['keys:read'] },
    })
    const foreign = await rotate(theirs.body.id)
    const missing = await rotate('key_01jd3v7k3q9x5m2n8r4t6w0y1z')
    expect([foreign.status, missing.status]).toEqual([404, 404])
    const bare = ({ request_id: _r, instance: _i, ...rest }: Record<string, unknown>) => rest
    expect(bare(foreign.body)).toEqual(bare(missing.body))
  })
})
