/** What a key may do in each of its states, and what may be done to it. */
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../../support/orgs.ts'
import { rowsOf } from '../../support/rows.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})
afterEach(() => {
  vi.useRealTimers()
})

const scopes = ['keys:read', 'keys:write'] as const
type State = 'active' | 'retiring' | 'revoked' | 'expired'

const on = (operation: 'api-keys/revoke' | 'api-keys/rotate', key_id: string, token: string, body: object = {}) =>
  invoke(operation, { token, params: { key_id }, body })
const get = async (key_id: string) =>
  (await invoke('api-keys/get', { token: org.adminKey, params: { key_id } })).body as { state: State }

async function keyIn(state: State): Promise<{ id: string; api_key: string }> {
  const ends = new Date(Date.now() + 60_000).toISOString()
  const key = await makeKey(org, { scopes, ...(state === 'expired' ? { expires_at: ends } : {}) })
  if (state === 'retiring') await on('api-keys/rotate', key.id, org.adminKey, { overlap_seconds: 3600 })
  if (state === 'revoked') await on('api-keys/revoke', key.id, org.adminKey)
  if (state === 'expired') vi.useFakeTimers({ toFake: ['Date'], now: Date.parse(ends) })
  expect((await get(key.id)).state).toBe(state)
  return key
}

const keyCount = async () => (await rowsOf(org.orgId, 'KEY#')).length

describe.each([
  ['active', { issues: 201, rotates: 201, revokes: 200 }],
  ['retiring', { issues: 403, rotates: 403, revokes: 200 }],
  ['revoked', { issues: 401, rotates: 401, revokes: 401 }],
  ['expired', { issues: 401, rotates: 401, revokes: 401 }],
] as const)('a key that is %s', (state, allowed) => {
  test(`issues a key: ${allowed.issues}`, async () => {
    const { api_key: token } = await keyIn(state)
    const before = await keyCount()
    const { status } = await invoke('api-keys/create', { token, body: { name: 'issued', scopes: ['keys:read'] } })
    expect(status).toBe(allowed.issues)
    expect(await keyCount()).toBe(before + (allowed.issues === 201 ? 1 : 0))
  })

  test(`rotates another key: ${allowed.rotates}`, async () => {
    const other = await makeKey(org)
    const { api_key } = await keyIn(state)
    expect((await on('api-keys/rotate', other.id, api_key)).status).toBe(allowed.rotates)
    expect((await get(other.id)).state).toBe(allowed.rotates === 201 ? 'revoked' : 'active')
  })

  test.each([0, 60])(`rotates itself with an overlap of %i s: ${allowed.rotates}`, async (overlap_seconds) => {
    const { id, api_key } = await keyIn(state)
    const before = await keyCount()
    expect((await on('api-keys/rotate', id, api_key, { overlap_seconds })).status).toBe(allowed.rotates)
    expect(await keyCount()).toBe(before + (allowed.rotates === 201 ? 1 : 0))
  })

  test(`revokes another key: ${allowed.revokes}`, async () => {
    const other = await makeKey(org)
    const { api_key } = await keyIn(state)
    expect((await on('api-keys/revoke', other.id, api_key)).status).toBe(allowed.revokes)
    expect((await get(other.id)).state).toBe(allowed.revokes === 200 ? 'revoked' : 'active')
  })

  test(`revokes itself: ${allowed.revokes}`, async () => {
    const { id, api_key } = await keyIn(state)
    expect((await on('api-keys/revoke', id, api_key)).status).toBe(allowed.revokes)
    expect((await get(id)).state).toBe(allowed.revokes === 200 ? 'revoked' : state)
  })
})

describe.each([
  ['active', { rotated: 201, revoked: 200 }],
  ['retiring', { rotated: 409, revoked: 200 }],
  ['revoked', { rotated: 409, revoked: 200 }],
  ['expired', { rotated: 409, revoked: 200 }],
] as const)('by an admin a key that is %s', (state, allowed) => {
  test.each([0, 60])(`is rotated with an overlap of %i s: ${allowed.rotated}`, async (overlap_seconds) => {
    const { id } = await keyIn(state)
    const before = await keyCount()
    const { status, body } = await on('api-keys/rotate', id, org.adminKey, { overlap_seconds })
    expect(status).toBe(allowed.rotated)
    if (status === 409) expect(body.detail).toContain(state)
    expect(await keyCount()).toBe(before + (status === 201 ? 1 : 0))
  })

  test(`is revoked: ${allowed.revoked}, and works no more`, async () => {
    const { id, api_key } = await keyIn(state)
    const { status, body } = await on('api-keys/revoke', id, org.adminKey)
    expect({ status, state: body.state }).toEqual({ status: allowed.revoked, state: 'revoked' })
    expect((await invoke('api-keys/scopes', { token: api_key })).status).toBe(401)
  })
})
