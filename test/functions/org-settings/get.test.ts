import { describe, expect, test } from 'vitest'
import { eventsOf, expectWholeChain, trailEnd } from '../../support/governance.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeOrg } from '../../support/orgs.ts'
import { putRow, rowsOf } from '../../support/rows.ts'

const defaults = {
  audit_retention_days: 365,
  require_mfa_for_admin: false,
  mfa_required: false,
  require_admin_approval: false,
  require_model_approval: false,
  auto_rollback_enabled: false,
  session_duration_hours: 24,
  reauth_interval_minutes: 60,
  hipaa_mode: false,
  ip_allowlist: [],
  default_region: 'us',
  protect_production: false,
  device_battery_threshold: 20,
  device_network_policy: 'any',
}

describe('the first read of the settings', () => {
  test('answers the defaults and writes them, with one event by the system', async () => {
    const org = await makeOrg()
    const { status, body, headers } = await invoke('org-settings/get', { token: org.adminKey })
    expect(status).toBe(200)
    expect(body).toMatchObject(defaults)
    expect(headers.etag).toMatch(/^"[^"]+"$/)
    const [row] = await rowsOf(org.orgId, 'SETTINGS')
    expect(row?.value).toEqual(defaults)
    expect(await eventsOf(org, 'org_settings.initialized')).toMatchObject([
      { actor: { type: 'system' }, resource: { type: 'org_settings', id: org.orgId }, result: 'success' },
    ])
  })

  test.each([2, 20])(
    '%i first readers at once get the same record and ETag, and there is one event',
    async (readers) => {
      const org = await makeBusyOrg()
      const answers = await Promise.all(
        Array.from({ length: readers }, () => invoke('org-settings/get', { token: org.adminKey })),
      )
      for (const { status, body, headers } of answers) {
        expect(status).toBe(200)
        expect(body).toMatchObject(defaults)
        expect(headers.etag).toBe(answers[0]?.headers.etag)
      }
      const later = await invoke('org-settings/get', { token: org.adminKey })
      expect(later.body).toMatchObject(defaults)
      expect(later.headers.etag).toBe(answers[0]?.headers.etag)
      expect(await eventsOf(org, 'org_settings.initialized')).toHaveLength(1)
      await expectWholeChain(org)
    },
  )

  test('during a concurrent patch: nothing of the patch is lost, in either order', async () => {
    const org = await makeBusyOrg()
    const [patched, ...read] = await Promise.all([
      invoke('org-settings/update', { token: org.adminKey, body: { default_region: 'eu' } }),
      ...Array.from({ length: 8 }, () => invoke('org-settings/get', { token: org.adminKey })),
    ])
    expect(patched?.status).toBe(200)
    for (const { status, body } of read) {
      expect(status).toBe(200)
      expect(body).toMatchObject({ ...defaults, default_region: expect.stringMatching(/^(us|eu)$/) })
    }
    const { body } = await invoke('org-settings/get', { token: org.adminKey })
    expect(body).toMatchObject({ ...defaults, default_region: 'eu' })
    expect((await eventsOf(org, 'org_settings.initialized')).length).toBeLessThanOrEqual(1)
    await expectWholeChain(org)
  })

  test('is enough with a key that can only read; later reads write nothing', async () => {
    const org = await makeBusyOrg()
    expect((await invoke('org-settings/get', { token: org.readOnlyKey })).body).toMatchObject(defaults)
    const end = await trailEnd(org)
    await invoke('org-settings/get', { token: org.adminKey })
    await invoke('org-settings/get', { token: org.readOnlyKey })
    expect(await trailEnd(org)).toBe(end)
  })

  test('answers 304 to a caller that has the record already', async () => {
    const org = await makeOrg()
    const { headers } = await invoke('org-settings/get', { token: org.adminKey })
    const again = await invoke('org-settings/get', {
      token: org.adminKey,
      headers: { 'if-none-match': headers.etag ?? '' },
    })
    expect({ status: again.status, text: again.text }).toEqual({ status: 304, text: '' })
  })
})

test('a row of before a field was added is read with the default of that field, under one ETag', async () => {
  const org = await makeBusyOrg()
  const first = await invoke('org-settings/get', { token: org.adminKey })
  expect(first.body.default_region).toBe('us')
  const [row] = await rowsOf(org.orgId, 'SETTINGS')
  const { default_region: _added, ...older } = (row?.value ?? {}) as Partial<typeof defaults>
  await putRow({ ...row, pk: `ORG#${org.orgId}`, sk: 'SETTINGS', value: older })
  const read = await invoke('org-settings/get', { token: org.adminKey })
  expect(read.body).toMatchObject(defaults)
  expect(read.headers.etag).toBe(first.headers.etag)
})
