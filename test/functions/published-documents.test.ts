/** Settings of which an organization has one, as the platform's published clients know them. */
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { cloudPolicyView } from '../../functions/cloud-policy/wire.ts'
import type { OperationName } from '../../functions/operations.ts'
import { credentialSources } from '../../shared/cloud-policy/record.ts'
import { invoke, invokePublished } from '../support/invoke.ts'
import { makeOrg, type TestOrg } from '../support/orgs.ts'

let org: TestOrg
beforeEach(async () => {
  org = await makeOrg()
})

const published = <Name extends OperationName>(name: Name, body?: object) =>
  invokePublished(name, { token: org.adminKey, ...(body ? { body } : {}) })
const ours = <Name extends OperationName>(name: Name, body?: object) =>
  invoke(name, { token: org.adminKey, ...(body ? { body } : {}) })

describe('the cloud policy', () => {
  test.each([
    [{ cloud_credential_policy: 'byok_only' }, { cloud_enabled: true, credential_sources: ['byok', 'connection'] }],
    [{ cloud_credential_policy: 'managed_only' }, { cloud_enabled: true, credential_sources: ['managed'] }],
    [{ cloud_credential_policy: 'disabled' }, { cloud_enabled: false, credential_sources: [...credentialSources] }],
    [{ cloud_fallback_enabled: false }, { cloud_enabled: false, credential_sources: [...credentialSources] }],
    [{ cloud_allowed_providers: ['openai'] }, { provider_allowlist: ['openai'], cloud_enabled: true }],
    [{ cloud_fallback_model: 'openai/gpt-5' }, { default_fallback_model: 'openai/gpt-5' }],
  ])('takes %j, and shows it again', async (patch, expected) => {
    const changed = await published('cloud-policy/update', patch)
    expect(changed.body, changed.text).toMatchObject(patch)
    expect((await published('cloud-policy/get')).body).toEqual(changed.body)
    expect((await ours('cloud-policy/get')).body).toMatchObject(expected)
  })

  test('is refused where it contradicts itself, under the published names', async () => {
    const both = await published('cloud-policy/update', {
      cloud_fallback_enabled: true,
      cloud_credential_policy: 'disabled',
    })
    expect([both.status, both.body.error.code]).toEqual([400, 'invalid_input'])
    const none = await published('cloud-policy/update', { cloud_allowed_providers: [] })
    expect(none.body.error.details.errors[0].path).toBe('cloud_allowed_providers')
  })

  test('of one source alone permits no more than the published words can say', async () => {
    await ours('cloud-policy/update', { credential_sources: ['byok'] })
    const { body } = await published('cloud-policy/get')
    expect(body).toMatchObject({ cloud_fallback_enabled: false, cloud_credential_policy: 'disabled' })
    await published('cloud-policy/update', { cloud_fallback_model: 'openai/gpt-5' })
    expect((await ours('cloud-policy/get')).body).toMatchObject({ cloud_enabled: true, credential_sources: ['byok'] })
  })

  test('that the published words can say survives the way there and back', () => {
    const sets = fc.constantFrom(['byok', 'connection'], ['byok', 'connection', 'managed'], ['managed'])
    const policy = fc.record({
      cloud_enabled: fc.constant(true),
      credential_sources: sets,
      provider_allowlist: fc.option(fc.constant(['openai'])),
      default_fallback_model: fc.option(fc.constant('openai/gpt-5')),
    })
    const { toAnswer, toInput } = cloudPolicyView()
    fc.assert(
      fc.property(policy, (before) => {
        const context = { orgId: 'org', once: {}, unchanged: false, query: {}, now: new Date() }
        expect(toInput?.(toAnswer?.(before as never, context) as never, context)).toEqual(before)
      }),
    )
  })
})

describe('usage limits', () => {
  test('list the limited metrics, and can be set by either name', async () => {
    const limits = [
      { metric: 'devices', limit_value: 3 },
      { metric: 'storage_gb', limit_value: 1 },
    ]
    const changed = await published('usage-limits/update', { limits })
    expect(changed.status, changed.text).toBe(200)
    expect(changed.body.limits).toContainEqual({ metric: 'max_devices', limit_value: 3 })
    expect(changed.body.limits).toContainEqual({ metric: 'storage_gb', limit_value: 1 })
    expect(changed.body.limits.map(({ metric }: { metric: string }) => metric)).not.toContain(
      'managed_billable_micros_monthly',
    )
    expect((await published('usage-limits/get')).body).toEqual(changed.body)
    expect((await published('usage-limits/update', { limits: [] })).body).toEqual(changed.body)
  })

  test('keep how they are enforced', async () => {
    await ours('usage-limits/update', { limits: { max_devices: { limit: 5, mode: 'alert_only' } } })
    await published('usage-limits/update', { limits: [{ metric: 'max_devices', limit_value: 4 }] })
    expect((await ours('usage-limits/get')).body.limits.max_devices).toMatchObject({ limit: 4, mode: 'alert_only' })
  })

  test('are refused by place, and above the plan with the published code', async () => {
    const metric = 'max_devices'
    const refused = await published('usage-limits/update', {
      limits: [
        { metric, limit_value: 1 },
        { metric: 'pigs', limit_value: 1 },
        { metric, limit_value: 2 },
      ],
    })
    expect(refused.body.error.details.errors.map(({ path }: { path: string }) => path)).toEqual([
      'limits.1.metric',
      'limits.2.metric',
    ])
    const high = await published('usage-limits/update', { limits: [{ metric, limit_value: 1_000_000 }] })
    expect([high.status, high.body.error.code]).toEqual([402, 'plan_limit_exceeded'])
  })
})

test('an empty patch changes nothing', async () => {
  const before = await published('cloud-policy/get')
  expect((await published('cloud-policy/update', {})).body).toEqual(before.body)
})
