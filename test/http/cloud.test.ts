/** Cloud and execution over HTTP, against a provider on loopback: keys that are tried, kept, used and never shown. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { json, openAiModels, startProvider, type TestProvider } from '../support/provider.ts'
import { http, notYetSucceeded, openTarget, suites } from './target.ts'

const settings = '/api/v1/settings'
const goodKey = 'sk-suite-good-key-7c1f93a2'
let token: string
let foreign: string
let provider: TestProvider

beforeAll(async () => {
  const { orgs } = await openTarget()
  const [acme, globex] = orgs
  token = await busyKey(acme?.api_keys.full_admin)
  foreign = await busyKey(globex?.api_keys.full_admin)
  provider = await startProvider((request, response) => {
    const refusal = json({ error: { message: `Incorrect API key provided: ${request.headers.authorization}` } }, 401)
    const listener = request.headers.authorization === `Bearer ${goodKey}` ? openAiModels : refusal
    listener(request, response)
  })
})

async function busyKey(owner: string | undefined): Promise<string> {
  const scopes = ['admin:write', 'cloud:credentials', 'telemetry:write']
  const body = { name: 'cloud', scopes, rate_limit_per_minute: 100_000 }
  return (await http('POST', `${settings}/api-keys`, { token: owner, body })).body.api_key
}

const call = (method: string, path: string, body?: unknown, as = token) =>
  http(method, settings + path, { token: as, ...(body === undefined ? {} : { body }) })

describe('a cloud connection', () => {
  test('is verified when it is made, tested, listed, replaced and deleted, and its key is in no answer', async () => {
    const base_url = `${provider.url}/v1`
    const body = { provider: 'openai_compatible', name: 'gateway', api_key: goodKey, base_url }
    const made = await call('POST', '/cloud-connections', body)
    expect([made.status, made.body.verification_status]).toEqual([201, 'verified'])
    expect(made.body).toMatchObject({ masked: '…93a2', key_version: 1, verification_error: null })
    const path = `/cloud-connections/${made.body.id}`
    const models = await call('GET', `${path}/models`)
    expect(models.body).toEqual({ models: ['model-a', 'model-b'] })
    const tested = await call('POST', `${path}/test`)
    expect(tested.body).toMatchObject({ success: true, status_code: 200, model_count: 2, error: null })

    const wrong = 'sk-suite-wrong-key-5e0d'
    const patched = await call('PATCH', path, { api_key: wrong })
    expect(patched.body).toMatchObject({ verification_status: 'invalid_credential', key_version: 2 })
    expect(patched.body.verification_error).toMatch(/answered 401: Incorrect API key provided: Bearer \[secret\]$/)
    const refused = await call('GET', `${path}/models`)
    expect([refused.status, refused.body.code, refused.body.retryable]).toEqual([502, 'upstream_error', false])
    expect((await call('PATCH', path, { base_url: `${provider.url}/v2` })).body.errors).toMatchObject([
      { path: 'api_key' },
    ])
    expect((await call('GET', path, undefined, foreign)).status).toBe(404)
    expect((await call('POST', `${path}/test`, undefined, foreign)).status).toBe(404)
    const listed = await call('GET', '/cloud-connections?provider=openai_compatible')
    expect(listed.body.data.map(({ id }: { id: string }) => id)).toContain(made.body.id)
    for (const { text } of [made, models, tested, patched, refused, listed]) {
      expect(text).not.toContain(goodKey)
      expect(text).not.toContain(wrong)
    }
    expect((await call('GET', path)).status).toBe(200)
    expect((await call('DELETE', path)).status).toBe(204)
    expect((await call('GET', path)).status).toBe(404)
  })
})

describe('a cloud credential', () => {
  test('is stored, shown without its key, replaced and deleted', async () => {
    const body = { provider: 'anthropic', name: 'claude', api_key: goodKey }
    const made = await call('POST', '/cloud-credentials', body)
    expect([made.status, made.body.masked, made.body.key_version]).toEqual([201, '…93a2', 1])
    const path = `/cloud-credentials/${made.body.id}`
    expect((await call('PATCH', path, { api_key: 'sk-another-key-00ab' })).body).toMatchObject({
      masked: '…00ab',
      key_version: 2,
    })
    expect((await call('GET', '/cloud-credentials')).text).not.toContain(goodKey)
    expect((await call('GET', path)).body.base_url).toBeNull()
    expect((await call('DELETE', path)).status).toBe(204)
  })
})

describe('the cloud policy', () => {
  test('is read, patched, and refuses what contradicts itself', async () => {
    expect((await call('GET', '/cloud-policy')).body.provider_allowlist).toBeNull()
    const contradiction = await call('PATCH', '/cloud-policy', { credential_sources: [] })
    expect(contradiction.body.errors).toMatchObject([{ path: 'credential_sources', code: 'contradiction' }])
    const changed = await call('PATCH', '/cloud-policy', { default_fallback_model: 'openai/gpt-5' })
    expect(changed.body.default_fallback_model).toBe('openai/gpt-5')
  })
})

describe('execution', () => {
  test('a runtime is registered, tested, reported on, left alone when it asks for it, and deleted', async () => {
    const body = { name: 'gpu box', endpoint: provider.url, runtime: 'vllm', api_key: goodKey }
    const made = await call('POST', '/execution/local-targets', body)
    expect(made.status).toBe(201)
    const target_id: string = made.body.id
    const path = `/execution/local-targets/${target_id}`
    expect((await call('POST', `${path}/test`)).body).toMatchObject({ success: true, status_code: 200 })
    expect((await call('GET', path)).body.last_verified_at).not.toBeNull()
    expect((await call('PATCH', path, { priority: 1 })).body.priority).toBe(1)
    expect((await call('GET', '/execution/local-targets')).body.data).toHaveLength(1)
    expect((await call('PATCH', '/execution/routing', { strategy: 'least_inflight' })).status).toBe(200)
    expect((await call('GET', '/execution/routing')).body.strategy).toBe('least_inflight')
    expect((await call('GET', '/execution')).body).toMatchObject({
      local_targets: [{ id: target_id }],
      routing: { strategy: 'least_inflight' },
    })

    const report = { target_id, started: 6, succeeded: 3, failed: 1, inflight: 2, retry_after_seconds: 90 }
    const reported = await call('POST', '/execution/reports', { reports: [report] })
    expect([reported.status, reported.body]).toEqual([202, { accepted: 1 }])
    const health = await call('GET', '/execution/health')
    expect(health.body.data).toMatchObject([
      { target_id, kind: 'local', inflight: 2, sample_count: 4, success_rate: 0.75, stale: false },
    ])
    expect(health.body.data[0].cooldown).toMatchObject({ active: true, reason: 'retry_after' })
    const unknown = await call('POST', '/execution/reports', { reports: [report] }, foreign)
    expect(unknown.body.errors).toMatchObject([{ path: 'reports.0.target_id', code: 'unknown_target' }])
    expect((await call('DELETE', path)).status).toBe(204)
  })
})

afterAll(() => {
  provider.close()
  expect(notYetSucceeded(suites.cloud), 'operations that this suite never saw succeed').toEqual([])
})
