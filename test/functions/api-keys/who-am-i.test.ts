import { beforeAll, describe, expect, test } from 'vitest'
import { expandScopes, keyTypeScopes, roleScopes, type Scope } from '../../../shared/auth/scopes.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { makeServiceKey } from '../../support/service-keys.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

const ask = (token: string, query?: Record<string, string>) =>
  invoke('api-keys/who-am-i', { token, ...(query ? { query } : {}) })
const get = async (id: string) => (await invoke('api-keys/get', { token: org.adminKey, params: { key_id: id } })).body

describe('who am I', () => {
  test.each(['api-keys/create', 'api-keys/create-app-key', 'api-keys/create-publishable-key'] as const)(
    'describes a key of %s, with its record',
    async (operation) => {
      const key = await makeKey(org, { environment: 'test' }, operation)
      const { status, body } = await ask(key.api_key)
      expect(status).toBe(200)
      expect(body).toEqual({
        org: { id: org.orgId, name: expect.any(String), plan: 'free' },
        principal: { type: 'api_key', id: key.id, name: key.name },
        // Its use is noted beside the answer.
        key: { ...(await get(key.id)), last_used_at: body.key?.last_used_at },
        scopes: [...expandScopes(key.scopes as readonly Scope[])],
        environment: 'test',
        expires_at: null,
        session_ends_at: null,
        rate_limit_per_minute: operation === 'api-keys/create-publishable-key' ? 60 : 100,
      })
    },
  )

  test('expands bundles, and shows the limit of the key', async () => {
    const { api_key } = await makeKey(org, { scopes: ['admin:read'], rate_limit_per_minute: 777 })
    const { body } = await ask(api_key)
    expect(body.scopes).toEqual(
      keyTypeScopes.org.filter((scope) => /^(?!catalog|models|rollouts|admin).*:read$/.test(scope)),
    )
    expect([body.rate_limit_per_minute, body.key.scopes]).toEqual([777, ['admin:read']])
  })

  test('shows when a key ends: at its expiry, or at the end of its overlap', async () => {
    const expires_at = new Date(Date.now() + 3_600_000).toISOString()
    const key = await makeKey(org, { expires_at })
    expect((await ask(key.api_key)).body.expires_at).toBe(expires_at)
    await invoke('api-keys/rotate', { token: org.adminKey, params: { key_id: key.id }, body: { overlap_seconds: 60 } })
    const { body } = await ask(key.api_key)
    expect(body.key.state).toBe('retiring')
    expect([body.expires_at, body.key.expires_at]).toEqual([body.key.revoked_at, expires_at])
  })

  test('describes a person, and when the session ends', async () => {
    const signedInAt = Math.floor(Date.now() / 1000) - 3600
    const long = await tokenFor(org.orgId, 'member', 100 * 3600, { auth_time: signedInAt })
    const { body } = await ask(long)
    expect(body).toEqual({
      org: { id: org.orgId, name: expect.any(String), plan: 'free' },
      principal: { type: 'user', id: 'user-member', name: 'member@example.com', email: 'member@example.com' },
      role: 'member',
      scopes: roleScopes.member,
      environment: null,
      expires_at: expect.stringMatching(/\.000Z$/),
      session_ends_at: new Date((signedInAt + 24 * 3600) * 1000).toISOString(),
      rate_limit_per_minute: 100,
    })
    const short = (await ask(await tokenFor(org.orgId, 'owner', 600))).body
    expect(short.session_ends_at).toBe(short.expires_at)
    expect(short.scopes).toContain('billing:override')
  })

  test('describes a service key, of no organization or of the named one', async () => {
    const { key, rawKey } = await makeServiceKey(['usage:write', 'telemetry:write'])
    const service = {
      principal: { type: 'service', id: key.id, name: key.name },
      scopes: ['usage:write', 'telemetry:write'],
      environment: 'live',
      expires_at: null,
      session_ends_at: null,
      rate_limit_per_minute: 100_000,
    }
    expect((await ask(rawKey)).body).toEqual({ org: null, ...service })
    const named = await ask(rawKey, { org_id: org.orgId })
    expect(named.body).toEqual({ org: { id: org.orgId, name: expect.any(String), plan: 'free' }, ...service })
    for (const org_id of ['acme', 'org_01jd3v7k3q9x5m2n8r4t6w0y1z'])
      expectProblem(await ask(rawKey, { org_id }), 'not_found')
  })

  test('the ETag stays while the key is only used', async () => {
    const { api_key } = await makeKey(org)
    const first = await ask(api_key)
    const second = await ask(api_key)
    expect(second.body.key.last_used_at).not.toBe(null)
    expect(second.headers.etag).toBe(first.headers.etag)
  })
})
