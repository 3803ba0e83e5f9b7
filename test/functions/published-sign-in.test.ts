/** Organization settings and sign-in as the platform's published clients, and its older one, know them. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { OperationName } from '../../functions/operations.ts'
import { makeOrgOn } from '../support/integrations.ts'
import { invoke, invokePublished, type Request } from '../support/invoke.ts'
import { makeKey, makeOrg, type TestOrg } from '../support/orgs.ts'

let org: TestOrg
beforeEach(async () => {
  org = await makeOrg()
})

const call = <Name extends OperationName>(name: Name, request: Request = {}, index = 0) =>
  invokePublished(name, { token: org.adminKey, ...request }, index)
const ours = <Name extends OperationName>(name: Name, request: Request = {}) =>
  invoke(name, { token: org.adminKey, ...request })

describe('organization settings', () => {
  test('are shown with their times, and changed field by field', async () => {
    const before = await call('org-settings/get')
    expect(before.body).toMatchObject({ org_id: org.orgId, protect_production: false, identity_mode: 'email_password' })
    expect(Math.abs(Date.parse(before.body.created_at) - Date.now())).toBeLessThan(60_000)
    const patch = { protect_production: true, audit_retention_days: 400 }
    const changed = await call('org-settings/update', { body: { ...patch, device_network_policy: 'wifi_only' } })
    expect(changed.body, changed.text).toEqual({ ...before.body, ...patch, updated_at: changed.body.updated_at })
    expect((await call('org-settings/get')).body).toEqual(changed.body)
    expect((await ours('org-settings/get')).body).toMatchObject({ ...patch, device_network_policy: 'wifi_only' })
    expect((await call('org-settings/update', { body: {} })).body).toEqual(changed.body)
  })

  test('take our bounds where the record is wider', async () => {
    const refused = await call('org-settings/update', { body: { audit_retention_days: 1 } })
    expect([refused.status, refused.body.error.details.errors[0].path]).toEqual([400, 'audit_retention_days'])
  })

  test('change the mode of sign-in by its own rules and its own scope', async () => {
    const changed = await call('org-settings/update', { body: { identity_mode: 'passkey', protect_production: true } })
    expect(changed.body, changed.text).toMatchObject({ identity_mode: 'passkey', protect_production: true })
    expect((await ours('org-auth/get')).body).toMatchObject({
      primary_identity_mode: 'passkey',
      passkeys_enabled: true,
    })
    const sso = await call('org-settings/update', { body: { identity_mode: 'sso' } })
    expect([sso.status, sso.body.error.details.errors[0].path]).toEqual([400, 'identity_mode'])
    const { api_key: token } = await makeKey(org, { name: 'settings', scopes: ['settings:read', 'settings:write'] })
    const refused = await call('org-settings/update', { token, body: { identity_mode: 'email_password' } })
    expect([refused.status, refused.body.error.code]).toEqual([403, 'insufficient_scope'])
  })

  test('of our own face take no mode of sign-in', async () => {
    for (const body of [{ identity: { primary_identity_mode: 'passkey' } }, { primary_identity_mode: 'passkey' }])
      expect((await ours('org-settings/update', { body })).status).toBe(400)
  })

  test('are read and changed by the id of the organization', async () => {
    const params = { org_id: org.orgId }
    const changed = await call('org-settings/update', { params, body: { protect_production: true } }, 1)
    expect(changed.body, changed.text).toMatchObject({ protect_production: true })
    expect((await call('org-settings/get', { params }, 1)).body).toEqual(changed.body)
    const refused = await call('org-settings/get', { params: { org_id: 'members' } }, 1)
    expect([refused.status, refused.body.error.code]).toEqual([403, 'forbidden'])
  })

  test.each(['hipaa', 'gdpr', 'pci', 'soc2'])('accept the preset %s unchanged', async (preset) => {
    const { body } = await call('org-settings/get-compliance-preset', { params: { preset } })
    const changed = await call('org-settings/update', { body })
    expect(changed.body, changed.text).toMatchObject(body)
  })

  test('know no other preset', async () => {
    const unknown = await call('org-settings/get-compliance-preset', { params: { preset: 'iso' } })
    expect([unknown.status, unknown.body.error.code]).toEqual([404, 'resource_not_found'])
  })
})

describe('sign-in', () => {
  test('is shown, and changed field by field', async () => {
    const before = await call('org-auth/get')
    expect(before.body).toMatchObject({ identity_mode: 'email_password', email_password_enabled: true })
    const changed = await call('org-auth/update', { body: { sso_domain: 'acme.example', sso_provider: 'Okta' } })
    expect(changed.body, changed.text).toEqual({ ...before.body, sso_domain: 'acme.example', sso_provider: 'Okta' })
    expect((await call('org-auth/update', { body: { sso_domain: null } })).body).toEqual({
      ...changed.body,
      sso_domain: null,
    })
    expect((await call('org-auth/update', { body: {} })).body.sso_provider).toBe('Okta')
  })

  test('keeps at least one way in', async () => {
    const refused = await call('org-auth/update', { body: { email_password_enabled: false } })
    expect([refused.status, refused.body.error.code]).toEqual([400, 'last_auth_method'])
    expect(refused.body.error.details.errors[0].path).toBe('email_password_enabled')
    const changed = await call('org-auth/update', { body: { email_password_enabled: false, identity_mode: 'passkey' } })
    expect(changed.body, changed.text).toMatchObject({ identity_mode: 'passkey', passkeys_enabled: true })
  })

  test('by providers reads as e-mail and password', async () => {
    await ours('org-auth/update', { body: { primary_identity_mode: 'oauth' } })
    expect((await call('org-auth/get')).body.identity_mode).toBe('email_password')
  })

  test('needs the plan for SCIM', async () => {
    const refused = await call('org-auth/update', { body: { scim_enabled: true } })
    expect([refused.status, refused.body.error.code]).toEqual([402, 'plan_limit_exceeded'])
    org = await makeOrgOn('enterprise')
    expect((await call('org-auth/update', { body: { scim_enabled: true } })).body.scim_enabled).toBe(true)
  })
})
