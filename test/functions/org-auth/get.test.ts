import { afterEach, describe, expect, test, vi } from 'vitest'
import { trailEnd } from '../../support/governance.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeOrg, tokenFor } from '../../support/orgs.ts'
import { rowsOf } from '../../support/rows.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

const defaults = {
  google_enabled: true,
  apple_enabled: false,
  github_enabled: true,
  sso_enabled: false,
  sso_protocol: null,
  sso_metadata_url: null,
  sso_issuer: null,
  sso_client_id: null,
  sso_client_secret: null,
  sso_enforced: false,
  sso_default_role: 'member',
  scim_enabled: false,
  primary_identity_mode: 'password',
  email_password_enabled: true,
  passkeys_enabled: false,
  sso_provider: null,
  sso_domain: null,
}

describe('reading the sign-in settings', () => {
  test('answers the defaults of an org that has set nothing, and writes nothing', async () => {
    const org = await makeBusyOrg()
    const end = await trailEnd(org)
    const { status, body, headers } = await invoke('org-auth/get', { token: org.adminKey })
    expect(status).toBe(200)
    expect(body).toEqual(defaults)
    expect(headers.etag).toMatch(/^"[^"]+"$/)
    expect(await trailEnd(org)).toBe(end)
    expect(await rowsOf(org.orgId, 'AUTH')).toEqual([])
  })

  test.each([
    ['', { google_enabled: false, apple_enabled: false, github_enabled: false }],
    ['apple', { google_enabled: false, apple_enabled: true, github_enabled: false }],
    ['google,apple,github', { google_enabled: true, apple_enabled: true, github_enabled: true }],
    ['googleplus,git', { google_enabled: false, apple_enabled: false, github_enabled: false }],
  ])('the provider flags are those of the server: %j', async (configured, flags) => {
    vi.stubEnv('SIGN_IN_PROVIDERS', configured)
    const { adminKey } = await makeOrg()
    expect((await invoke('org-auth/get', { token: adminKey })).body).toEqual({ ...defaults, ...flags })
  })

  test('is open to all callers that may read settings, members included', async () => {
    const { orgId, readOnlyKey } = await makeOrg()
    for (const token of [readOnlyKey, await tokenFor(orgId, 'member')]) {
      expect((await invoke('org-auth/get', { token })).status).toBe(200)
    }
  })
})
