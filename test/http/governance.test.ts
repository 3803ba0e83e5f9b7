/** Governance over HTTP: settings, sign-in, policies, usage limits and integrations, as dashboards and clients use them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientOf, type HttpOptions, http, notYetSucceeded, openTarget, suites, type Target } from './target.ts'

const settings = '/api/v1/settings'
let target: Target
/** The first org is on the plan that everybody begins with; the second has every feature. */
let free: string
let enterprise: string

beforeAll(async () => {
  target = await openTarget()
  const [acme, globex] = target.orgs
  free = await busyKey(acme?.api_keys.full_admin)
  enterprise = await busyKey(globex?.api_keys.full_admin)
})

async function busyKey(token: string | undefined): Promise<string> {
  const body = { name: 'governance', scopes: ['admin:write'], rate_limit_per_minute: 100_000 }
  return (await http('POST', `${settings}/api-keys`, { token, body })).body.api_key
}

const patch = (path: string, token: string, body: unknown, headers: HttpOptions['headers'] = {}) =>
  http('PATCH', `${settings}${path}`, { token, body, headers })

describe('organization settings', () => {
  test('defaults come to be on first read, a patch changes its fields, and If-Match guards it', async () => {
    const first = await http('GET', settings, { token: free })
    expect(first.body).toMatchObject({ audit_retention_days: 365, session_duration_hours: 24, hipaa_mode: false })
    const changed = await patch('', free, { audit_retention_days: 400 }, { 'if-match': first.headers.etag ?? '' })
    expect(changed.status).toBe(200)
    expect(changed.body).toEqual({ ...first.body, audit_retention_days: 400 })
    const late = await patch('', free, { audit_retention_days: 500 }, { 'if-match': first.headers.etag ?? '' })
    expect([late.status, late.body.code]).toEqual([412, 'precondition_failed'])
    expect((await http('GET', settings, { token: free })).headers.etag).toBe(changed.headers.etag)
  })

  test('HIPAA mode needs its plan, and raises what is below its floor', async () => {
    const refused = await patch('', free, { hipaa_mode: true })
    expect([refused.status, refused.body.code]).toEqual([402, 'plan_limit_reached'])
    expect(refused.body.detail).toContain('enterprise')
    const raised = await patch('', enterprise, { hipaa_mode: true })
    expect(raised.body).toMatchObject({
      audit_retention_days: 2190,
      session_duration_hours: 8,
      require_mfa_for_admin: true,
    })
    const broken = await patch('', enterprise, { session_duration_hours: 9 })
    expect(broken.body.errors).toMatchObject([{ path: 'session_duration_hours', code: 'hipaa_floor' }])
    expect((await patch('', enterprise, { hipaa_mode: false })).status).toBe(200)
  })

  test('nobody locks themselves out by accident', async () => {
    const { status, body } = await patch('', free, { ip_allowlist: ['203.0.113.0/24'] })
    expect([status, body.code]).toEqual([409, 'conflict'])
    expect(body.detail).toContain('allow_lockout')
  })
})

describe('sign-in', () => {
  test('an OIDC connection is kept with its secret sealed, and shown with its mask', async () => {
    const secret = 'client-secret-of-the-suite'
    const sso = {
      sso_enabled: true,
      sso_protocol: 'oidc',
      sso_issuer: 'https://id.example.org',
      sso_client_id: 'octomil',
      sso_client_secret: secret,
    }
    expect((await patch('/auth', free, sso)).status).toBe(402)
    const changed = await patch('/auth', enterprise, sso)
    expect(changed.status).toBe(200)
    const read = await http('GET', `${settings}/auth`, { token: enterprise })
    expect(read.body).toMatchObject({
      google_enabled: true,
      apple_enabled: false,
      sso_enabled: true,
      sso_client_secret: '…uite',
    })
    expect(changed.text + read.text).not.toContain(secret)
    const half = await patch('/auth', enterprise, { sso_issuer: null })
    expect(half.body.errors).toMatchObject([{ path: 'sso_issuer' }])
    expect((await patch('/auth', enterprise, { sso_enabled: false })).status).toBe(200)
  })
})

describe('policies', () => {
  test('are read and patched', async () => {
    expect((await http('GET', `${settings}/policies`, { token: free })).body.serving_policy).toBe('auto')
    const changed = await patch('/policies', free, { serving_policy: 'local_first' })
    expect(changed.body).toMatchObject({ serving_policy: 'local_first', telemetry_enabled: true })
  })
})

describe('the calls that published clients make', () => {
  const org = () => `?org_id=${target.orgs[0]?.org_id}`

  test('GET and PUT usage-limits, through the typed client', async () => {
    const client = clientOf(target, free)
    const limits = `${settings}/usage-limits` as const
    const params = { query: { org_id: target.orgs[0]?.org_id ?? '' } }
    const before = await client.GET(limits, { params })
    expect(before.data.limits.max_devices).toEqual({
      limit: 25,
      mode: 'enforce',
      plan_ceiling: 25,
      source: 'plan',
      updated_at: null,
    })
    const put = (limit: number) =>
      client.PUT(limits, { params, body: { limits: { max_devices: { limit, mode: 'alert_only' } } } })
    expect((await put(10)).data.limits.max_devices).toMatchObject({ limit: 10, mode: 'alert_only', source: 'org' })
    await expect(put(26)).rejects.toMatchObject({
      code: 'plan_limit_reached',
      status: 402,
      message: expect.stringContaining('team'),
      errors: [{ path: 'limits.max_devices.limit' }],
    })
  })

  test('GET, PATCH, validate with {} and DELETE of an integration', async () => {
    const secret = 'https://hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/suite-secret-token'
    const body = { type: 'slack', name: 'alerts' }
    const created = await http('POST', `${settings}/integrations`, { token: free, body })
    expect(created.status).toBe(201)
    const path = `${settings}/integrations/${created.body.id}`
    const incomplete = await http('POST', `${path}/validate${org()}`, { token: free, body: {} })
    expect(incomplete.body).toMatchObject({ valid: false, live_connectivity: 'not_tested' })
    expect(incomplete.body.checks).toContainEqual(
      expect.objectContaining({ field: 'config.webhook_url', level: 'error', code: 'missing_field' }),
    )

    const patched = await http('PATCH', `${path}${org()}`, {
      token: free,
      body: { config: { webhook_url: secret, colour: 'red' }, owner: 'x' },
    })
    expect(patched.body).toMatchObject({
      config: { webhook_url: 'https://hooks.slack.com/…oken' },
      config_valid: true,
      ignored_fields: ['owner', 'config.colour'],
    })
    const read = await http('GET', `${path}${org()}`, { token: free })
    expect(read.headers.etag).toBe(patched.headers.etag)
    expect(patched.text + read.text).not.toContain('suite-secret-token')
    expect((await http('POST', `${path}/validate${org()}`, { token: free, body: {} })).body.valid).toBe(true)
    const listed = await http('GET', `${settings}/integrations`, { token: free })
    expect(listed.body.data).toContainEqual(expect.objectContaining({ id: created.body.id, config_valid: true }))

    expect((await http('DELETE', `${path}${org()}`, { token: free })).status).toBe(204)
    expect((await http('DELETE', `${path}${org()}`, { token: free })).status).toBe(404)
  })

  test('a webhook needs plan team', async () => {
    const body = { type: 'webhook', name: 'events', config: { url: 'https://receiver.example.org/octomil' } }
    expect((await http('POST', `${settings}/integrations`, { token: free, body })).status).toBe(402)
    expect((await http('POST', `${settings}/integrations`, { token: enterprise, body })).status).toBe(201)
  })
})

afterAll(() => {
  expect(notYetSucceeded(suites.governance), 'operations that this suite never saw succeed').toEqual([])
})
