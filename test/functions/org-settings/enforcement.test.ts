/** The restrictions that an org's settings put on callers, for every operation. */
import { randomUUID } from 'node:crypto'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { getHealth } from '../../../functions/meta/contract.ts'
import type { OperationName } from '../../../functions/operations.ts'
import type { Role } from '../../../shared/auth/scopes.ts'
import { secondFactorClaim } from '../../../shared/auth/second-factor.ts'
import { callsDuring, interceptTable } from '../../support/faults.ts'
import { eventsOf, makeOrgOn } from '../../support/governance.ts'
import { eventFor, handlerOf, invoke, type Request, type Response } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { putRow, rowsOf } from '../../support/rows.ts'

afterEach(() => {
  vi.useRealTimers()
})

const patch = ({ adminKey }: Pick<TestOrg, 'adminKey'>, body: object, request: Request = {}) =>
  invoke('org-settings/update', { token: adminKey, body, ...request })
const get = (token: string, request: Request = {}) => invoke('org-settings/get', { token, ...request })

/** A person who signed in `ageHours` ago, with the given factors. */
const signIn = (
  { orgId }: TestOrg,
  role: Role = 'owner',
  { ageHours = 0, amr = ['pwd', 'mfa'] as string[] | undefined, claims = {} as Record<string, unknown> } = {},
) =>
  tokenFor(orgId, role, 3600, {
    auth_time: Math.floor(Date.now() / 1000) - ageHours * 3600,
    amr,
    ...claims,
  })

/** An org with settings, which may lock callers out. */
async function orgWith(settings: object): Promise<TestOrg> {
  const org = await makeBusyOrg()
  const { status, text } = await patch(org, { ...settings, allow_lockout: true })
  if (status !== 200) throw new Error(text)
  return org
}

function expectForbidden(response: Response, rule: string): void {
  expectProblem(response, 'forbidden')
  expect(response.body.detail).toContain(rule)
}

describe('ip_allowlist', () => {
  const listed = ['203.0.113.0/24', '2001:db8:aaaa::/48']
  let org: TestOrg
  beforeAll(async () => {
    org = await orgWith({ ip_allowlist: listed })
  })

  test.each([
    ['the first address of a listed range', '203.0.113.0'],
    ['the last address of a listed range', '203.0.113.255'],
    ['an IPv6 address of a listed range', '2001:db8:aaaa:ffff::1'],
    ['an IPv6 address spelled otherwise', '2001:0DB8:AAAA:0:0:0:0:1'],
    ['a listed IPv4 address in its IPv6 form', '::ffff:203.0.113.9'],
    ['a listed IPv4 address in its IPv6 form, in hexadecimal', '::ffff:cb00:7109'],
  ])('admits keys and people from %s', async (_what, ip) => {
    for (const token of [org.adminKey, await signIn(org)]) expect((await get(token, { ip })).status).toBe(200)
  })

  test.each([
    ['the address below a listed range', '203.0.112.255'],
    ['the address above a listed range', '203.0.114.0'],
    ['an IPv6 address outside', '2001:db8:aaab::1'],
    ['an IPv4 address outside in its IPv6 form', '::ffff:203.0.114.0'],
    ['an IPv6 address that ends like a listed one', '2001:db9::203.0.113.9'],
    ['what is no address', 'unknown'],
  ])('refuses keys and people from %s', async (_what, ip) => {
    for (const token of [org.adminKey, await signIn(org)]) {
      const refused = await get(token, { ip })
      expectForbidden(refused, 'ip_allowlist')
      expect(refused.headers.ratelimit).toMatch(/r=\d+/)
      expect(refused.headers['ratelimit-policy']).toMatch(/q=\d+/)
    }
  })

  test('a header that claims another address changes nothing', async () => {
    const headers = { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9', 'x-real-ip': '203.0.113.9' }
    expectForbidden(await get(org.adminKey, { ip: '198.51.100.1', headers }), 'ip_allowlist')
  })

  describe('with CloudFront in front of the API', () => {
    const secret = 'front-7Q2mXw4zB8rT1kLp'
    const edge = '64.252.64.1'
    const through = (address: string) => ({ 'x-octomil-front': secret, 'x-octomil-client-address': address })
    beforeEach(() => {
      vi.stubEnv('FRONT_SECRET', secret)
      vi.stubEnv('FRONT_ONLY', 'on')
    })
    afterEach(() => void vi.unstubAllEnvs())

    test('the address of a client is the one that the front names', async () => {
      const admitted = await get(org.adminKey, { ip: edge, headers: through('203.0.113.9') })
      expect(admitted.status).toBe(200)
      expectForbidden(await get(org.adminKey, { ip: edge, headers: through('198.51.100.1') }), 'ip_allowlist')
    })

    test('until it is the only way, other requests count by the address that the gateway saw', async () => {
      vi.stubEnv('FRONT_ONLY', undefined)
      const forged = { 'x-octomil-client-address': '203.0.113.9' }
      expectForbidden(await get(org.adminKey, { ip: '198.51.100.1', headers: forged }), 'ip_allowlist')
      expect((await get(org.adminKey, { ip: '203.0.113.9' })).status).toBe(200)
      expect((await get(org.adminKey, { ip: edge, headers: through('203.0.113.9') })).status).toBe(200)
    })

    test.each([
      ['no secret', {}],
      ['a wrong secret', { 'x-octomil-front': `${secret.slice(1)}x` }],
      ['a shorter secret', { 'x-octomil-front': 'front' }],
    ])('a request with %s is refused before its credential is looked at', async (_what, headers) => {
      const around = { 'x-octomil-client-address': '203.0.113.9', ...headers }
      for (const token of [org.adminKey, 'no-key']) {
        const refused = await get(token, { ip: edge, headers: around })
        expectForbidden(refused, 'address of the API is closed')
        expect(refused.headers).not.toHaveProperty('ratelimit')
      }
    })

    test('public operations are behind the front too', async () => {
      const handler = await handlerOf('meta/health')
      const statusOf = async (headers: Record<string, string>) =>
        (await handler(eventFor(getHealth, { headers }), {})).statusCode
      expect(await statusOf({})).toBe(403)
      expect(await statusOf(through('198.51.100.1'))).toBe(200)
    })
  })

  test.each<[OperationName, Request]>([
    ['api-keys/scopes', {}],
    ['api-keys/list', {}],
    ['org-auth/get', {}],
    ['org-policies/get', {}],
    ['usage-limits/get', {}],
    ['audit-events/list', {}],
    ['integrations/list', {}],
    ['api-keys/create', { body: { name: 'x', scopes: ['keys:read'] } }],
    ['org-settings/update', { body: { ip_allowlist: [], allow_lockout: true } }],
    ['org-auth/update', { body: { sso_enforced: false } }],
    ['org-policies/update', { body: { privacy_mode: 'strict' } }],
    ['usage-limits/update', { body: { limits: { max_devices: { limit: 1, mode: 'enforce' } } } }],
  ])('binds %s', async (name, request) => {
    expectForbidden(await invoke(name, { token: org.adminKey, ip: '198.51.100.1', ...request }), 'ip_allowlist')
  })

  test('records the refusal of a mutation, with the address, and not that of a read', async () => {
    const ip = '198.51.100.77'
    const token = await signIn(org)
    await get(token, { ip })
    const refused = await invoke('org-policies/update', { token, ip, body: { privacy_mode: 'strict' } })
    expectForbidden(refused, 'ip_allowlist')
    const { body } = await invoke('audit-events/list', {
      token: org.adminKey,
      ip: '203.0.113.1',
      query: { action: 'org_policies.updated' },
    })
    expect(body.data).toHaveLength(1 + body.data.filter(({ ip: from }: { ip: string }) => from !== ip).length)
    expect(body.data.find(({ ip: from }: { ip: string }) => from === ip)).toMatchObject({
      result: 'denied',
      resource: { type: 'org_policies' },
      request_id: refused.body.request_id,
    })
  })

  test('does not bind app and publishable keys, which are out in the field', async () => {
    const own = await makeBusyOrg()
    const keys = [
      await makeKey(own, {}, 'api-keys/create-app-key'),
      await makeKey(own, {}, 'api-keys/create-publishable-key'),
    ]
    await patch(own, { ip_allowlist: listed, allow_lockout: true })
    expectForbidden(await invoke('api-keys/scopes', { token: own.adminKey }), 'ip_allowlist')
    for (const { api_key } of keys) {
      expect((await invoke('api-keys/scopes', { token: api_key, ip: '198.51.100.1' })).status).toBe(200)
    }
  })

  test.each([
    ['0.0.0.0/0', '198.51.100.1', 200],
    ['::ffff:198.51.100.0/120', '198.51.100.1', 200],
    ['198.51.100.1/32', '198.51.100.2', 403],
    ['198.51.100.77/24', '198.51.100.1', 200],
    ['::1/128', '127.0.0.1', 403],
  ])('the range %s answers %s with %i', async (range, ip, status) => {
    const own = await orgWith({ ip_allowlist: [range] })
    expect((await get(own.adminKey, { ip })).status).toBe(status)
  })

  test('a missing scope has priority: the error names the scope', async () => {
    const refused = await invoke('org-policies/update', { token: org.readOnlyKey, ip: '198.51.100.1', body: {} })
    expectForbidden(refused, 'settings:write')
  })
})

describe('a patch that would shut out its own caller', () => {
  const addressPatch = { ip_allowlist: ['203.0.113.0/24'] }

  test('by its address is 409 and changes nothing; with allow_lockout it is in force for the very next request', async () => {
    const org = await makeBusyOrg()
    const before = await get(org.adminKey)
    for (const flags of [{}, { allow_lockout: false }]) {
      const refused = await patch(org, { ...addressPatch, ...flags })
      expectProblem(refused, 'conflict')
      expect(refused.body.detail).toContain('allow_lockout')
      expect(refused.body.detail).toContain('ip_allowlist')
    }
    const after = await get(org.adminKey)
    expect(after.headers.etag).toBe(before.headers.etag)
    expect(await eventsOf(org, 'org_settings.updated')).toEqual([])
    const done = await patch(org, { ...addressPatch, allow_lockout: true })
    expect({ status: done.status, list: done.body.ip_allowlist }).toEqual({
      status: 200,
      ...{ list: ['203.0.113.0/24'] },
    })
    expectForbidden(await get(org.adminKey), 'ip_allowlist')
    expect((await get(org.adminKey, { ip: '203.0.113.1' })).status).toBe(200)
  })

  test('is let through from an address that the new list holds', async () => {
    const org = await makeBusyOrg()
    expect((await patch(org, addressPatch, { ip: '203.0.113.1' })).status).toBe(200)
    expect((await patch(org, { ip_allowlist: [] }, { ip: '203.0.113.1' })).status).toBe(200)
    expect((await get(org.adminKey)).status).toBe(200)
  })

  test.each<[string, object, Role]>([
    ['mfa_required, by an owner without a second factor', { mfa_required: true }, 'owner'],
    ['mfa_required, by an admin without a second factor', { mfa_required: true }, 'admin'],
    ['require_mfa_for_admin, by an owner without a second factor', { require_mfa_for_admin: true }, 'owner'],
    ['require_mfa_for_admin, by an admin without a second factor', { require_mfa_for_admin: true }, 'admin'],
  ])('%s, is 409 unless allowed', async (_what, body, role) => {
    const org = await makeBusyOrg()
    const token = await signIn(org, role, { amr: ['pwd'] })
    const refused = await invoke('org-settings/update', { token, body })
    expectProblem(refused, 'conflict')
    expect(refused.body.detail).toContain(Object.keys(body)[0])
    expect((await get(org.adminKey)).body).toMatchObject({ mfa_required: false, require_mfa_for_admin: false })
    const done = await invoke('org-settings/update', { token, body: { ...body, allow_lockout: true } })
    expect(done.status).toBe(200)
    expectForbidden(await get(token), Object.keys(body)[0] ?? '')
  })

  test('by a session that is older than the new length is 409 unless allowed, then 401 at once', async () => {
    const org = await makeBusyOrg()
    const token = await signIn(org, 'owner', { ageHours: 10 })
    const shorten = (body: object) => invoke('org-settings/update', { token, body })
    expect((await shorten({ session_duration_hours: 11 })).status).toBe(200)
    expectProblem(await shorten({ session_duration_hours: 9 }), 'conflict')
    expect((await get(token)).body.session_duration_hours).toBe(11)
    expect((await shorten({ session_duration_hours: 9, allow_lockout: true })).status).toBe(200)
    expectProblem(await get(token), 'token_expired')
  })

  test('by settings that hipaa_mode implies is 409 too', async () => {
    const org = await makeOrgOn('enterprise')
    const body = { hipaa_mode: true }
    for (const token of [await signIn(org, 'owner', { ageHours: 9 }), await signIn(org, 'owner', { amr: ['pwd'] })]) {
      expectProblem(await invoke('org-settings/update', { token, body }), 'conflict')
    }
    expect((await get(org.adminKey)).body.hipaa_mode).toBe(false)
    expect((await invoke('org-settings/update', { token: await signIn(org), body })).status).toBe(200)
  })

  test('is no matter of people’s rules for an org key', async () => {
    const org = await makeBusyOrg()
    const body = { mfa_required: true, require_mfa_for_admin: true, session_duration_hours: 1 }
    expect((await patch(org, body)).status).toBe(200)
    expect((await get(org.adminKey)).status).toBe(200)
  })

  test('the order of refusals is 400, 412, 409, 402', async () => {
    const org = await makeBusyOrg()
    const stale = { headers: { 'if-match': '"stale"' } }
    const wanted = { ...addressPatch, hipaa_mode: true }
    expectProblem(await patch(org, { ...wanted, session_duration_hours: 24 }, stale), 'invalid_input')
    expectProblem(await patch(org, wanted, stale), 'precondition_failed')
    expectProblem(await patch(org, wanted), 'conflict')
    expectProblem(await patch(org, { ...wanted, allow_lockout: true }), 'plan_limit_reached')
  })
})

describe('mfa_required', () => {
  let org: TestOrg
  beforeAll(async () => {
    org = await orgWith({ mfa_required: true })
  })

  test.each<Role>(['owner', 'admin', 'member'])('refuses an %s who signed in without a second factor', async (role) => {
    const factors: (string[] | undefined)[] = [['pwd'], [], undefined]
    for (const amr of factors) {
      const refused = await get(await signIn(org, role, { claims: { amr } }))
      expectForbidden(refused, 'mfa_required')
      expect(refused.body.detail).toContain('npm run sign-in -- --email <address> --enroll-totp')
      expect(refused.headers.ratelimit).toBeDefined()
    }
    expect((await get(await signIn(org, role))).status).toBe(200)
  })

  test.each<[unknown, number]>([
    ['totp', 200],
    ['', 403],
    ['pwd', 403],
    [true, 403],
    [['totp'], 403],
  ])('where the user pool’s trigger says %j of the second factor: %i', async (factor, status) => {
    const claims = { amr: undefined, [secondFactorClaim]: factor }
    expect((await get(await signIn(org, 'owner', { claims }))).status).toBe(status)
  })

  test('does not take a text for a list of factors', async () => {
    expectForbidden(await get(await signIn(org, 'owner', { claims: { amr: 'mfa' } })), 'mfa_required')
  })

  test('does not ask a key', async () => {
    expect((await get(org.adminKey)).status).toBe(200)
  })
})

describe('require_mfa_for_admin', () => {
  test('refuses owners and admins without a second factor, and leaves members alone', async () => {
    const org = await orgWith({ require_mfa_for_admin: true })
    for (const role of ['owner', 'admin'] as const) {
      expectForbidden(await get(await signIn(org, role, { amr: ['pwd'] })), 'require_mfa_for_admin')
      expect((await get(await signIn(org, role))).status).toBe(200)
    }
    expect((await get(await signIn(org, 'member', { amr: ['pwd'] }))).status).toBe(200)
    expect((await get(org.adminKey)).status).toBe(200)
  })

  test('records the refused mutation of an admin', async () => {
    const org = await orgWith({ require_mfa_for_admin: true })
    const token = await signIn(org, 'admin', { amr: ['pwd'] })
    expectForbidden(
      await invoke('org-policies/update', { token, body: { privacy_mode: 'strict' } }),
      'require_mfa_for_admin',
    )
    expect(await eventsOf(org, 'org_policies.updated')).toMatchObject([
      { result: 'denied', actor: { type: 'user', id: 'user-admin' } },
    ])
  })
})

describe('session_duration_hours', () => {
  test('counts from auth_time: a session that is older is 401, one that is younger is not', async () => {
    const org = await orgWith({ session_duration_hours: 8 })
    const expired = await get(await signIn(org, 'member', { ageHours: 8.01 }))
    expectProblem(expired, 'token_expired')
    expect(expired.body.detail).toContain('8')
    expect((await get(await signIn(org, 'member', { ageHours: 7.99 }))).status).toBe(200)
  })

  test('counts from iat where there is no auth_time', async () => {
    const org = await orgWith({ session_duration_hours: 1 })
    const token = await signIn(org, 'member', { claims: { auth_time: undefined } })
    expect((await get(token)).status).toBe(200)
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    const lasting = await tokenFor(org.orgId, 'member', 30 * 3600, { auth_time: undefined })
    vi.setSystemTime(start + 59 * 60_000)
    expect((await get(lasting)).status).toBe(200)
    vi.setSystemTime(start + 61 * 60_000)
    expectProblem(await get(lasting), 'token_expired')
  })

  test('the default of 24 hours applies to an org whose settings were never read', async () => {
    const org = await makeBusyOrg()
    expectProblem(await get(await signIn(org, 'owner', { ageHours: 24.1 })), 'token_expired')
    expect(await rowsOf(org.orgId, 'SETTINGS')).toEqual([])
    expect((await get(await signIn(org, 'owner', { ageHours: 23.9 }))).status).toBe(200)
  })

  test('a refreshed token of an old session is as old as the session', async () => {
    const org = await orgWith({ session_duration_hours: 2 })
    const token = await signIn(org, 'owner', { ageHours: 3 })
    const { body } = await get(token)
    expect(body.code).toBe('token_expired')
    const noMutation = await invoke('org-policies/update', { token, body: { privacy_mode: 'strict' } })
    expectProblem(noMutation, 'token_expired')
    expect(await eventsOf(org, 'org_policies.updated')).toEqual([])
  })

  test('does not bind keys', async () => {
    const org = await orgWith({ session_duration_hours: 1 })
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start + 10 * 3_600_000 })
    expect((await get(org.adminKey)).status).toBe(200)
  })
})

describe('the settings that are enforced', () => {
  test('are at most 60 seconds old: what another process wrote holds after that, without another read before', async () => {
    const org = await makeBusyOrg()
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    expect((await invoke('api-keys/scopes', { token: org.adminKey })).status).toBe(200)
    const { body: value } = await get(org.adminKey)
    await putRow({
      pk: `ORG#${org.orgId}`,
      sk: 'SETTINGS',
      version: 2,
      value: { ...value, ip_allowlist: ['203.0.113.0/24'] },
    })
    vi.setSystemTime(start + 59_000)
    const cached = await callsDuring(async () => {
      expect((await invoke('api-keys/scopes', { token: org.adminKey })).status).toBe(200)
    })
    expect(cached.flatMap(({ rows }) => rows)).not.toContain(`ORG#${org.orgId} SETTINGS`)
    vi.setSystemTime(start + 61_000)
    expectForbidden(await invoke('api-keys/scopes', { token: org.adminKey }), 'ip_allowlist')
  })

  test('are only those of the caller’s org', async () => {
    const strict = await orgWith({ ip_allowlist: ['203.0.113.0/24'], mfa_required: true, session_duration_hours: 1 })
    const other = await makeBusyOrg()
    expect((await get(other.adminKey)).status).toBe(200)
    expect((await get(await signIn(other, 'owner', { ageHours: 2, amr: ['pwd'] }))).status).toBe(200)
    expectForbidden(await get(strict.adminKey), 'ip_allowlist')
  })

  test('are read once for many requests', async () => {
    const org = await makeBusyOrg()
    await get(org.adminKey)
    await patch(org, { default_region: 'eu' })
    const calls = await callsDuring(async () => {
      for (let request = 0; request < 5; request++) await invoke('org-policies/get', { token: org.adminKey })
    })
    const reads = calls.filter(({ rows }) => rows.includes(`ORG#${org.orgId} SETTINGS`))
    expect(reads).toHaveLength(1)
  })

  test('an unknown org of a valid token has the defaults', async () => {
    const orgId = `org_${'0'.repeat(26)}`
    const token = await tokenFor(orgId, 'owner', 600, { sub: randomUUID() })
    expect((await invoke('org-policies/get', { token })).status).toBe(200)
  })

  test('that cannot be read refuse all callers, and the failure is not cached', async () => {
    const org = await orgWith({ ip_allowlist: ['127.0.0.0/8'] })
    const settingsRow = `ORG#${org.orgId} SETTINGS`
    const failed = await interceptTable(
      (call, send) => {
        if (!call.rows.includes(settingsRow)) return send()
        throw Object.assign(new Error('a fault of the test'), { name: 'TimeoutError' })
      },
      () => invoke('org-policies/get', { token: org.adminKey }),
    )
    expectProblem(failed, 'service_unavailable')
    expect((await invoke('org-policies/get', { token: org.adminKey })).status).toBe(200)
    expectForbidden(await invoke('org-policies/get', { token: org.adminKey, ip: '198.51.100.1' }), 'ip_allowlist')
  })
})
