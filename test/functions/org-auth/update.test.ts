import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { eventsOf, expectWholeChain, makeOrgOn, putOnPlan, trailEnd } from '../../support/governance.ts'
import { invoke, type Response } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { memberOf } from '../../support/readable.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeOrgOn('enterprise')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const get = ({ adminKey } = org) => invoke('org-auth/get', { token: adminKey })
const patch = (body: unknown, { adminKey } = org, headers: Record<string, string> = {}) =>
  invoke('org-auth/update', { token: adminKey, body, headers })

async function expectRefused(body: unknown, paths: string[], of = org): Promise<Response> {
  const before = await get(of)
  const end = await trailEnd(of)
  const response = await patch(body, of)
  expectProblem(response, 'invalid_input')
  expect(faultPaths(response).sort()).toEqual([...paths].sort())
  expect((await get(of)).text).toBe(before.text)
  expect(await trailEnd(of)).toBe(end)
  return response
}

const saml = { sso_enabled: true, sso_protocol: 'saml', sso_metadata_url: 'https://idp.example.com/metadata' }
const oidc = {
  sso_enabled: true,
  sso_protocol: 'oidc',
  sso_issuer: 'https://idp.example.com',
  sso_client_id: 'octomil',
  sso_client_secret: 'a client secret of 32 characters',
}
const without = (whole: object, ...fields: string[]) =>
  Object.fromEntries(Object.entries(whole).filter(([field]) => !fields.includes(field)))

describe('the provider flags', () => {
  test.each(['google_enabled', 'apple_enabled', 'github_enabled'])(
    '%s is the server’s and cannot be set, not even to what it is',
    async (flag) => {
      const current = memberOf((await get()).body, flag)
      for (const value of [current, !current, null]) await expectRefused({ [flag]: value, scim_enabled: true }, [flag])
    },
  )
})

describe('what must hold together', () => {
  let own: TestOrg
  beforeAll(async () => {
    own = await makeOrgOn('enterprise')
  })

  test.each<[string, object, string[]]>([
    ['sso_enabled without a protocol', { sso_enabled: true }, ['sso_protocol']],
    ['sso_enabled with everything but a protocol', without({ ...saml, ...oidc }, 'sso_protocol'), ['sso_protocol']],
    ['saml without its metadata', without(saml, 'sso_metadata_url'), ['sso_metadata_url']],
    ['saml with what oidc needs', { ...oidc, sso_protocol: 'saml' }, ['sso_metadata_url']],
    ['oidc without its issuer', without(oidc, 'sso_issuer'), ['sso_issuer']],
    ['oidc without its client id', without(oidc, 'sso_client_id'), ['sso_client_id']],
    ['oidc without its client secret', without(oidc, 'sso_client_secret'), ['sso_client_secret']],
    [
      'oidc with nothing, or with what saml needs',
      { ...saml, sso_protocol: 'oidc' },
      ['sso_issuer', 'sso_client_id', 'sso_client_secret'],
    ],
    ['sso_enforced without sso_enabled', { sso_enforced: true }, ['sso_enforced']],
    ['mode sso without sso_enabled', { primary_identity_mode: 'sso' }, ['primary_identity_mode']],
    [
      'both of them without sso_enabled, though SSO is configured',
      { ...saml, sso_enabled: false, sso_enforced: true, primary_identity_mode: 'sso' },
      ['sso_enforced', 'primary_identity_mode'],
    ],
    [
      'several at once',
      { sso_enabled: true, sso_protocol: 'saml', sso_client_id: '' },
      // Shape errors have priority; missing fields are reported once the shape is right.
      ['sso_client_id'],
    ],
  ])('%s is 400 and names the missing fields', async (_what, body, paths) => {
    const { body: problem } = await expectRefused(body, paths, own)
    for (const { message } of problem.errors) expect(message.length).toBeGreaterThan(10)
  })

  test('mode oauth needs a provider that the server has', async () => {
    vi.stubEnv('SIGN_IN_PROVIDERS', '')
    await expectRefused({ primary_identity_mode: 'oauth' }, ['primary_identity_mode'], own)
    vi.stubEnv('SIGN_IN_PROVIDERS', 'apple')
    expect((await patch({ primary_identity_mode: 'oauth' }, own)).body.primary_identity_mode).toBe('oauth')
    vi.stubEnv('SIGN_IN_PROVIDERS', '')
    expect((await patch({ primary_identity_mode: 'password' }, own)).body.primary_identity_mode).toBe('password')
  })

  test.each<[string, object, object[]]>([
    ['saml', saml, [{ sso_metadata_url: null }, { sso_protocol: null }, { sso_protocol: 'oidc' }]],
    [
      'oidc',
      oidc,
      [{ sso_issuer: null }, { sso_client_id: null }, { sso_client_secret: null }, { sso_protocol: 'saml' }],
    ],
  ])('with %s on and enforced, what it stands on cannot be taken away', async (_protocol, whole, breaking) => {
    const fresh = await makeOrgOn('team')
    const { status, body } = await patch({ ...whole, sso_enforced: true, primary_identity_mode: 'sso' }, fresh)
    expect(status).toBe(200)
    expect(body).toMatchObject({ sso_enabled: true, sso_enforced: true, primary_identity_mode: 'sso' })
    for (const part of breaking) expectProblem(await patch(part, fresh), 'invalid_input')
    await expectRefused({ sso_enabled: false }, ['sso_enforced', 'primary_identity_mode'], fresh)
    await expectRefused({ sso_enabled: false, sso_enforced: false }, ['primary_identity_mode'], fresh)
    expect((await get(fresh)).body).toEqual(body)
    const off = { sso_enabled: false, sso_enforced: false, primary_identity_mode: 'password' }
    expect((await patch(off, fresh)).body).toMatchObject(off)
    const cleared = Object.fromEntries(Object.keys(without(whole, 'sso_enabled')).map((field) => [field, null]))
    expect((await patch(cleared, fresh)).body).toMatchObject(cleared)
  })

  test('SSO can be prepared field by field and switched on last', async () => {
    const fresh = await makeOrgOn('team')
    for (const [field, value] of Object.entries(without(oidc, 'sso_enabled'))) {
      expect((await patch({ [field]: value }, fresh)).status).toBe(200)
    }
    const { body } = await patch({ sso_enabled: true }, fresh)
    expect(body).toMatchObject({ ...oidc, sso_client_secret: '…ters' })
  })
})

describe('the fields', () => {
  test.each<[string, unknown[]]>([
    ['sso_enabled', [null, 'true', 1]],
    ['sso_enforced', [null, 0]],
    ['scim_enabled', [null, 'no']],
    ['sso_protocol', ['SAML', 'ldap', '', true]],
    ['sso_default_role', [null, 'owner', 'Admin', '']],
    ['primary_identity_mode', [null, 'saml', '']],
    ['sso_client_id', ['', 'x'.repeat(256), 7]],
    ['sso_client_secret', ['', 'x'.repeat(4097), 7, {}]],
    ['sso_issuer', ['', 7, 'idp.example.com', `https://idp.example.com/${'x'.repeat(2048)}`]],
    ['sso_metadata_url', ['', 7, '/metadata']],
  ])('%s is 400 and named for what it cannot be', async (field, values) => {
    for (const value of values) await expectRefused({ [field]: value }, [field])
  })

  test('an empty patch is 400, and unknown fields are each named', async () => {
    await expectRefused({}, [''])
    await expectRefused({ sso_domains: 'x', sso_enable: true, scim_enabled: false }, ['sso_domains', 'sso_enable'])
  })

  test('a caller without auth:write is 403 naming it, and the attempt is recorded', async () => {
    const own = await makeBusyOrg()
    const refused = await invoke('org-auth/update', {
      token: await tokenFor(own.orgId, 'member'),
      body: { sso_enforced: false },
    })
    expectProblem(refused, 'forbidden')
    expect(refused.body.detail).toContain('auth:write')
    expect(await eventsOf(own, 'org_auth.updated')).toMatchObject([
      { result: 'denied', actor: { type: 'user', id: 'user-member' }, resource: { type: 'org_auth' } },
    ])
  })
})

describe.each(['sso_metadata_url', 'sso_issuer'])('%s', (field) => {
  test.each([
    'http://idp.example.com',
    'ftp://idp.example.com',
    'javascript:alert(1)',
    'file:///etc/passwd',
    'https://user@idp.example.com',
    'https://user:password@idp.example.com',
    'https://127.0.0.1/metadata',
    'https://127.1/metadata',
    'https://0177.0.0.1/metadata',
    'https://0x7f.0.0.1/metadata',
    'https://0x7f000001/metadata',
    'https://2130706433/metadata',
    'https://127.0.0.1./metadata',
    'https://10.0.0.1',
    'https://172.16.0.1',
    'https://192.168.1.1',
    'https://100.64.0.1',
    'https://169.254.169.254/latest/meta-data',
    'https://0.0.0.0',
    'https://[::1]/metadata',
    'https://[::]/metadata',
    'https://[::ffff:127.0.0.1]/metadata',
    'https://[::ffff:a9fe:a9fe]/metadata',
    'https://[fe80::1]/metadata',
    'https://[fd00:ec2::254]/metadata',
    'https://localhost/metadata',
    'https://LOCALHOST/metadata',
    'https://idp.localhost/metadata',
    'https://localhost./metadata',
    'https://idp.example.com:22/metadata',
  ])('refuses %s', async (url) => {
    const before = await get()
    const refused = await patch({ [field]: url })
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual([field])
    expect((await get()).text).toBe(before.text)
  })

  test.each([
    'https://idp.example.com',
    'https://idp.example.com:8443/a',
    'https://8.8.8.8/x',
    'https://[2606:4700::1]/x',
  ])('takes %s as it is written, and null clears it', async (url) => {
    expect(memberOf((await patch({ [field]: url })).body, field)).toBe(url)
    expect(memberOf((await get()).body, field)).toBe(url)
    expect(memberOf((await patch({ [field]: null })).body, field)).toBeNull()
  })
})

describe('the plan', () => {
  test('SSO needs team, SCIM enterprise: 402 naming field and plan, nothing changes', async () => {
    const own = await makeBusyOrg()
    const before = await get(own)
    const end = await trailEnd(own)
    const sso = await patch(saml, own)
    expectProblem(sso, 'plan_limit_reached')
    expect(faultPaths(sso)).toEqual(['sso_enabled'])
    expect(sso.body.detail).toContain('team')
    const scim = await patch({ scim_enabled: true }, own)
    expectProblem(scim, 'plan_limit_reached')
    expect(faultPaths(scim)).toEqual(['scim_enabled'])
    expect(scim.body.detail).toContain('enterprise')
    const both = await patch({ ...oidc, scim_enabled: true }, own)
    expectProblem(both, 'plan_limit_reached')
    expect(faultPaths(both).sort()).toEqual(['scim_enabled', 'sso_enabled'])
    expect((await get(own)).headers.etag).toBe(before.headers.etag)
    expect(await trailEnd(own)).toBe(end)
    await putOnPlan(own, 'team')
    expect((await patch(saml, own)).status).toBe(200)
    expectProblem(await patch({ scim_enabled: true }, own), 'plan_limit_reached')
    await putOnPlan(own, 'enterprise')
    expect((await patch({ scim_enabled: true }, own)).body).toMatchObject({ ...saml, scim_enabled: true })
  })

  test('a downgrade leaves enabled features on, and a disabled feature cannot be enabled again', async () => {
    const own = await makeOrgOn('enterprise')
    await patch({ ...saml, scim_enabled: true }, own)
    await putOnPlan(own, 'free')
    expect((await patch({ sso_default_role: 'admin', sso_enabled: true, scim_enabled: true }, own)).body).toMatchObject(
      {
        ...saml,
        scim_enabled: true,
        sso_default_role: 'admin',
      },
    )
    expect((await patch({ scim_enabled: false }, own)).body.scim_enabled).toBe(false)
    expectProblem(await patch({ scim_enabled: true }, own), 'plan_limit_reached')
  })

  test('what does not hold together is 400, and a stale If-Match 412, before any 402', async () => {
    const own = await makeBusyOrg()
    const stale = { 'if-match': '"stale"' }
    expectProblem(await patch({ sso_enabled: true }, own, stale), 'invalid_input')
    expectProblem(await patch(saml, own, stale), 'precondition_failed')
    expectProblem(await patch(saml, own), 'plan_limit_reached')
  })
})

describe('a patch', () => {
  test('is one event with before and after of each changed field; one that changes nothing is none', async () => {
    const own = await makeOrgOn('team')
    await patch(saml, own)
    const { body, headers } = await patch({ ...saml, sso_default_role: 'admin', sso_client_id: 'x' }, own)
    const events = await eventsOf(own, 'org_auth.updated')
    expect(events).toHaveLength(2)
    expect(events[1]).toMatchObject({ result: 'success', resource: { type: 'org_auth', id: own.orgId } })
    expect(events[1]?.changes.sort((a, b) => (a.field < b.field ? -1 : 1))).toEqual([
      { field: 'sso_client_id', before: null, after: 'x' },
      { field: 'sso_default_role', before: 'member', after: 'admin' },
    ])
    const again = await patch({ ...saml, sso_client_id: 'x', sso_issuer: null, sso_client_secret: null }, own)
    expect({ status: again.status, body: again.body, etag: again.headers.etag }).toEqual({
      status: 200,
      body,
      etag: headers.etag,
    })
    expect(await eventsOf(own, 'org_auth.updated')).toHaveLength(2)
    await expectWholeChain(own)
  })

  test('with the same If-Match as another at once: one lands, one is 412', async () => {
    const own = await makeBusyOrg()
    const { headers, body } = await get(own)
    const wanted = [{ sso_client_id: 'first', sso_default_role: 'admin' }, { sso_issuer: 'https://second.example.com' }]
    const answers = await Promise.all(wanted.map((part) => patch(part, own, { 'if-match': headers.etag ?? '' })))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412])
    const winner = answers.findIndex(({ status }) => status === 200)
    expect((await get(own)).body).toEqual({ ...body, ...wanted[winner] })
  })

  test('without If-Match, many at once to different fields all land', async () => {
    const own = await makeBusyOrg()
    const wanted = {
      sso_protocol: 'oidc',
      sso_issuer: 'https://idp.example.com',
      sso_metadata_url: 'https://idp.example.com/metadata',
      sso_client_id: 'octomil',
      sso_default_role: 'admin',
      primary_identity_mode: 'oauth',
    }
    const answers = await Promise.all(Object.entries(wanted).map(([field, value]) => patch({ [field]: value }, own)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect((await get(own)).body).toMatchObject(wanted)
    expect(await eventsOf(own, 'org_auth.updated')).toHaveLength(6)
    await expectWholeChain(own)
  })

  test('that cannot hold together with another that landed first is refused, not merged into nonsense', async () => {
    const own = await makeOrgOn('team')
    await patch(saml, own)
    const answers = await Promise.all([patch({ sso_enabled: false }, own), patch({ sso_enforced: true }, own)])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400])
    const { body } = await get(own)
    expect(body.sso_enforced && !body.sso_enabled).toBe(false)
  })
})
