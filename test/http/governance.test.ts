/** Governance over HTTP: settings, sign-in, policies, usage limits and integrations, as dashboards and clients use them. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { BodyOf, SettingsClient } from '../../client/src/index.ts'
import { problemOf } from '../support/problems.ts'
import { answersWith, busyClient, notYetSucceeded, openTarget, orgsOf, suites, type Target } from './target.ts'

const settings = '/api/v2/settings'
let target: Target
let free: SettingsClient
let enterprise: SettingsClient

beforeAll(async () => {
  target = await openTarget()
  const { acme, globex } = orgsOf(target)
  free = await busyClient(target, acme, ['admin:write', 'usage:write'])
  enterprise = await busyClient(target, globex, ['admin:write'])
})

describe('organization settings', () => {
  const patch = (client: SettingsClient, body: BodyOf<typeof settings, 'patch'>) => client.PATCH(settings, { body })

  test('the first read writes the defaults, a patch changes its fields, and If-Match prevents lost updates', async () => {
    const first = await free.GET(settings)
    expect(first.data).toMatchObject({ audit_retention_days: 365, session_duration_hours: 24, hipaa_mode: false })
    const guarded = (audit_retention_days: number) =>
      free.PATCH(settings, { params: { header: { 'If-Match': first.etag } }, body: { audit_retention_days } })
    const changed = await guarded(400)
    expect([changed.status, changed.data]).toMatchObject([200, { hipaa_mode: false, audit_retention_days: 400 }])
    await problemOf(guarded(500), 'precondition_failed')
    expect((await free.GET(settings)).etag).toBe(changed.etag)
  })

  test('a preset lists the settings of its compliance standard', async () => {
    const preset = await free.GET('/api/v2/settings/compliance/{preset}', { params: { path: { preset: 'gdpr' } } })
    expect(preset.data).toMatchObject({ audit_retention_days: 365, require_mfa_for_admin: true })
  })

  test('HIPAA mode needs its plan, and raises settings below its minimum', async () => {
    const refused = await problemOf(patch(free, { hipaa_mode: true }), 'plan_limit_reached')
    expect(refused.message).toContain('enterprise')
    const raised = await patch(enterprise, { hipaa_mode: true })
    expect(raised.data).toMatchObject({
      audit_retention_days: 2190,
      session_duration_hours: 8,
      require_mfa_for_admin: true,
    })
    const broken = await problemOf(patch(enterprise, { session_duration_hours: 9 }), 'invalid_input')
    expect(broken.errors).toMatchObject([{ path: 'session_duration_hours', code: 'hipaa_floor' }])
    expect((await patch(enterprise, { hipaa_mode: false })).status).toBe(200)
  })

  test('refuses a change that would lock out its caller', async () => {
    const refused = await problemOf(patch(free, { ip_allowlist: ['203.0.113.0/24'] }), 'conflict')
    expect(refused.message).toContain('allow_lockout')
  })
})

describe('sign-in', () => {
  const auth = `${settings}/auth`

  test('an OIDC connection is stored with its secret encrypted, and shown with its mask', async () => {
    const secret = 'client-secret-of-the-suite'
    const body: BodyOf<typeof auth, 'patch'> = {
      sso_enabled: true,
      sso_protocol: 'oidc',
      sso_issuer: 'https://id.example.org',
      sso_client_id: 'octomil',
      sso_client_secret: secret,
    }
    await problemOf(free.PATCH(auth, { body }), 'plan_limit_reached')
    expect((await enterprise.PATCH(auth, { body })).status).toBe(200)
    expect((await enterprise.GET(auth)).data).toMatchObject({
      google_enabled: true,
      apple_enabled: false,
      sso_enabled: true,
      sso_client_secret: '…uite',
    })
    expect(answersWith(secret)).toEqual([])
    const half = await problemOf(enterprise.PATCH(auth, { body: { sso_issuer: null } }), 'invalid_input')
    expect(half.errors).toMatchObject([{ path: 'sso_issuer' }])
    expect((await enterprise.PATCH(auth, { body: { sso_enabled: false } })).status).toBe(200)
  })
})

describe('policies', () => {
  const policies = `${settings}/policies`

  test('are read and patched', async () => {
    expect((await free.GET(policies)).data.serving_policy).toBe('auto')
    const changed = await free.PATCH(policies, { body: { serving_policy: 'local_first' } })
    expect(changed.data).toMatchObject({ serving_policy: 'local_first', telemetry_enabled: true })
  })
})

describe('the calls that published clients make, which name their organization', () => {
  const limits = `${settings}/usage-limits`
  const integrations = `${settings}/integrations`
  const org = () => ({ org_id: orgsOf(target).acme.org_id })

  test('POST usage/records and GET usage', async () => {
    const records = [{ metric: 'model_downloads_monthly' as const, add: 2 }]
    const { data } = await free.POST(`${settings}/usage/records`, { body: { mode: 'record', records } })
    expect(data).toMatchObject({ accepted: 1, permitted: true })
    const { data: usage } = await free.GET(`${settings}/usage`)
    expect(usage.data.model_downloads_monthly?.used).toBeGreaterThanOrEqual(2)
  })

  test('GET and PUT usage-limits', async () => {
    const params = { query: org() }
    const before = await free.GET(limits, { params })
    expect(before.data.limits.max_devices).toMatchObject({
      limit: 25,
      mode: 'enforce',
      plan_ceiling: 25,
      source: 'plan',
      updated_at: null,
    })
    const put = (limit: number) =>
      free.PUT(limits, { params, body: { limits: { max_devices: { limit, mode: 'alert_only' } } } })
    expect((await put(10)).data.limits.max_devices).toMatchObject({ limit: 10, mode: 'alert_only', source: 'org' })
    const refused = await problemOf(put(26), 'plan_limit_reached')
    expect(refused.message).toContain('team')
    expect(refused.errors).toMatchObject([{ path: 'limits.max_devices.limit' }])
  })

  test('GET, PATCH, validate with {} and DELETE of an integration', async () => {
    const webhook_url = 'https://hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/suite-secret-token'
    const { data: created, status } = await free.POST(integrations, { body: { type: 'slack', name: 'alerts' } })
    expect(status).toBe(201)
    const one = `${integrations}/{integration_id}`
    const params = { path: { integration_id: created.id }, query: org() }
    const validate = async () => (await free.POST(`${one}/validate`, { params, body: {} })).data
    const incomplete = await validate()
    expect(incomplete).toMatchObject({ valid: false, live_connectivity: 'not_tested' })
    expect(incomplete.checks).toContainEqual(
      expect.objectContaining({ field: 'config.webhook_url', level: 'error', code: 'missing_field' }),
    )

    const body = { config: { webhook_url, colour: 'red' }, owner: 'x' }
    const patched = await free.PATCH(one, { params, body })
    expect(patched.data).toMatchObject({
      config: { webhook_url: 'https://hooks.slack.com/…oken' },
      config_valid: true,
      ignored_fields: ['owner', 'config.colour'],
    })
    expect((await free.GET(one, { params })).etag).toBe(patched.etag)
    expect((await validate()).valid).toBe(true)
    const listed = await free.GET(integrations)
    expect(listed.data.data).toContainEqual(expect.objectContaining({ id: created.id, config_valid: true }))
    expect(answersWith('suite-secret-token')).toEqual([])

    expect((await free.DELETE(one, { params })).status).toBe(204)
    await problemOf(free.DELETE(one, { params }), 'not_found')
  })

  test('an event becomes a delivery, which is listed and tried again; a test says why it fails', async () => {
    const one = `${integrations}/{integration_id}`
    const config = { endpoint: 'https://receiver.invalid', protocol: 'http/json' } as const
    const { data: created } = await free.POST(integrations, {
      body: { type: 'opentelemetry', name: 'logs', config, event_types: ['integration.updated'] },
    })
    const params = { path: { integration_id: created.id }, query: org() }
    const tested = await free.POST(`${one}/test`, { params, body: {} })
    expect(tested.data).toMatchObject({ success: false, status_code: null, error: expect.stringMatching(/receiver/) })
    await free.PATCH(one, { params, body: { name: 'logs of events' } })
    const list = async () => (await free.GET(`${one}/deliveries`, { params })).data.data
    await vi.waitFor(async () => expect((await list())[0]?.attempts.length).toBeGreaterThan(0), 60_000)
    const [delivery] = await list()
    expect(delivery).toMatchObject({ event_type: 'integration.updated', status: 'pending' })
    const path = { ...params.path, delivery_id: delivery?.id ?? '' }
    const again = await free.POST(`${one}/deliveries/{delivery_id}/retry`, { params: { ...params, path }, body: {} })
    expect([again.status, again.data.id]).toEqual([202, delivery?.id])
    expect((await free.DELETE(one, { params })).status).toBe(204)
  }, 90_000)

  test('a webhook needs plan team', async () => {
    const config = { url: 'https://receiver.example.org/octomil' }
    const create = (client: SettingsClient) =>
      client.POST(integrations, { body: { type: 'webhook', name: 'events', config } })
    await problemOf(create(free), 'plan_limit_reached')
    expect((await create(enterprise)).status).toBe(201)
  })
})

afterAll(() => {
  expect(
    notYetSucceeded(suites.governance),
    'operations without a successful request: add one to test/http/governance.test.ts',
  ).toEqual([])
})
