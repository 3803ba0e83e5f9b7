/** Cloud and execution over HTTP, against a provider on loopback: keys that are tried, kept, used and never shown. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SettingsClient } from '../../client/src/index.ts'
import { problemOf } from '../support/problems.ts'
import { json, openAiModels, startProvider, type TestProvider } from '../support/provider.ts'
import { answersWith, busyClient, notYetSucceeded, openTarget, orgsOf, suites } from './target.ts'

const settings = '/api/v2/settings'
const goodKey = 'sk-suite-good-key-7c1f93a2'
let ours: SettingsClient
let foreign: SettingsClient
let provider: TestProvider

beforeAll(async () => {
  const target = await openTarget()
  const { acme, globex } = orgsOf(target)
  const client = (org: typeof acme) => busyClient(target, org, ['admin:write', 'cloud:credentials', 'telemetry:write'])
  ours = await client(acme)
  foreign = await client(globex)
  provider = await startProvider((request, response) => {
    const refusal = json({ error: { message: `Incorrect API key provided: ${request.headers.authorization}` } }, 401)
    const listener = request.headers.authorization === `Bearer ${goodKey}` ? openAiModels : refusal
    listener(request, response)
  })
})

describe('a cloud connection', () => {
  const connections = `${settings}/cloud-connections`
  const one = `${connections}/{connection_id}`

  test('is verified when it is made, tested, listed, replaced and deleted, and its key is in no answer', async () => {
    const made = await ours.POST(connections, {
      body: { provider: 'openai_compatible', name: 'gateway', api_key: goodKey, base_url: `${provider.url}/v1` },
    })
    expect([made.status, made.data.verification_status]).toEqual([201, 'verified'])
    expect(made.data).toMatchObject({ masked: '…93a2', key_version: 1, verification_error: null })
    const byId = { params: { path: { connection_id: made.data.id } } }
    const models = () => ours.GET(`${one}/models`, byId)
    expect((await models()).data).toEqual({ models: ['model-a', 'model-b'] })
    const tested = await ours.POST(`${one}/test`, byId)
    expect(tested.data).toMatchObject({ success: true, status_code: 200, model_count: 2, error: null })

    const wrong = 'sk-suite-wrong-key-5e0d'
    const patched = await ours.PATCH(one, { ...byId, body: { api_key: wrong } })
    expect(patched.data).toMatchObject({ verification_status: 'invalid_credential', key_version: 2 })
    expect(patched.data.verification_error).toMatch(/answered 401: Incorrect API key provided: Bearer \[secret\]$/)
    expect((await problemOf(models(), 'upstream_error')).retryable).toBe(false)
    const moved = ours.PATCH(one, { ...byId, body: { base_url: `${provider.url}/v2` } })
    expect((await problemOf(moved, 'invalid_input')).errors).toMatchObject([{ path: 'api_key' }])
    await problemOf(foreign.GET(one, byId), 'not_found')
    await problemOf(foreign.POST(`${one}/test`, byId), 'not_found')
    const listed = await ours.GET(connections, { params: { query: { provider: 'openai_compatible' } } })
    expect(listed.data.data.map(({ id }) => id)).toContain(made.data.id)
    expect((await ours.GET(one, byId)).status).toBe(200)
    expect((await ours.DELETE(one, byId)).status).toBe(204)
    await problemOf(ours.GET(one, byId), 'not_found')
    expect([...answersWith(goodKey), ...answersWith(wrong)]).toEqual([])
  })
})

describe('a cloud credential', () => {
  const credentials = `${settings}/cloud-credentials`
  const one = `${credentials}/{credential_id}`

  test('is stored, shown without its key, replaced and deleted', async () => {
    const made = await ours.POST(credentials, { body: { provider: 'anthropic', name: 'claude', api_key: goodKey } })
    expect([made.status, made.data.masked, made.data.key_version]).toEqual([201, '…93a2', 1])
    const byId = { params: { path: { credential_id: made.data.id } } }
    const patched = await ours.PATCH(one, { ...byId, body: { api_key: 'sk-another-key-00ab' } })
    expect(patched.data).toMatchObject({ masked: '…00ab', key_version: 2 })
    expect((await ours.GET(credentials)).data.data.map(({ id }) => id)).toContain(made.data.id)
    expect((await ours.GET(one, byId)).data.base_url).toBeNull()
    expect((await ours.DELETE(one, byId)).status).toBe(204)
    expect([...answersWith(goodKey), ...answersWith('sk-another-key-00ab')]).toEqual([])
  })
})

describe('the cloud policy', () => {
  const policy = `${settings}/cloud-policy`

  test('can be read and patched, and refuses contradictory settings', async () => {
    expect((await ours.GET(policy)).data.provider_allowlist).toBeNull()
    const contradiction = await problemOf(ours.PATCH(policy, { body: { credential_sources: [] } }), 'invalid_input')
    expect(contradiction.errors).toMatchObject([{ path: 'credential_sources', code: 'contradiction' }])
    const changed = await ours.PATCH(policy, { body: { default_fallback_model: 'openai/gpt-5' } })
    expect(changed.data.default_fallback_model).toBe('openai/gpt-5')
  })
})

describe('execution', () => {
  const execution = `${settings}/execution`
  const targets = `${execution}/local-targets`
  const one = `${targets}/{target_id}`

  test('a runtime is registered, tested, reported on, put in cooldown after its Retry-After, and deleted', async () => {
    const made = await ours.POST(targets, {
      body: { name: 'gpu box', endpoint: provider.url, runtime: 'vllm', api_key: goodKey },
    })
    expect(made.status).toBe(201)
    const target_id = made.data.id
    const byId = { params: { path: { target_id } } }
    expect((await ours.POST(`${one}/test`, byId)).data).toMatchObject({ success: true, status_code: 200 })
    expect((await ours.GET(one, byId)).data.last_verified_at).not.toBeNull()
    expect((await ours.PATCH(one, { ...byId, body: { priority: 1 } })).data.priority).toBe(1)
    expect((await ours.GET(targets)).data.data).toHaveLength(1)
    expect((await ours.PATCH(`${execution}/routing`, { body: { strategy: 'least_inflight' } })).status).toBe(200)
    expect((await ours.GET(`${execution}/routing`)).data.strategy).toBe('least_inflight')
    expect((await ours.GET(execution)).data).toMatchObject({
      local_targets: [{ id: target_id }],
      routing: { strategy: 'least_inflight' },
    })

    const report = { target_id, started: 6, succeeded: 3, failed: 1, inflight: 2, retry_after_seconds: 90 }
    const reportBy = (client: SettingsClient) => client.POST(`${execution}/reports`, { body: { reports: [report] } })
    expect(await reportBy(ours)).toMatchObject({ status: 202, data: { accepted: 1 } })
    const { data } = await ours.GET(`${execution}/health`)
    expect(data.data).toMatchObject([
      { target_id, kind: 'local', inflight: 2, sample_count: 4, success_rate: 0.75, stale: false },
    ])
    expect(data.data[0]?.cooldown).toMatchObject({ active: true, reason: 'retry_after' })
    const unknown = await problemOf(reportBy(foreign), 'invalid_input')
    expect(unknown.errors).toMatchObject([{ path: 'reports.0.target_id', code: 'unknown_target' }])
    expect((await ours.DELETE(one, byId)).status).toBe(204)
  })
})

afterAll(() => {
  provider.close()
  expect(
    notYetSucceeded(suites.cloud),
    'operations without a successful request: add one to test/http/cloud.test.ts',
  ).toEqual([])
})
