import { afterEach, describe, expect, test, vi } from 'vitest'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { putRows } from '../../support/rows.ts'
import { connectionRow, credentialRow, makeTarget, setRouting } from './targets.ts'

afterEach(() => vi.unstubAllEnvs())

const get = ({ adminKey }: Pick<TestOrg, 'adminKey'>) => invoke('execution/get', { token: adminKey })
const setPolicy = async ({ adminKey }: TestOrg, body: object) =>
  expect((await invoke('cloud-policy/update', { token: adminKey, body })).status).toBe(200)

/** Whether each target may be used and why not, by its id. */
async function reasons(org: TestOrg): Promise<Record<string, string | null>> {
  const { cloud_targets } = (await get(org)).body
  for (const { eligible, reason } of cloud_targets) expect(eligible).toBe(reason === null)
  return Object.fromEntries(cloud_targets.map(({ id, reason }: { id: string; reason: string | null }) => [id, reason]))
}

test('an org that has nothing has no targets and the default routing, with an ETag', async () => {
  const { status, body, headers } = await get(await makeBusyOrg())
  expect(status).toBe(200)
  expect(body).toEqual({
    local_targets: [],
    cloud_targets: [],
    routing: { strategy: 'priority', cooldown_seconds: 60 },
  })
  expect(headers.etag).toMatch(/^"[^"]+"$/)
})

describe('cloud targets', () => {
  test('are the connections, then the credentials, newest first, disabled ones too, without anything of a key', async () => {
    const org = await makeBusyOrg()
    const rows = [
      connectionRow(org.orgId, {
        ...{ provider: 'openai_compatible', base_url: 'https://gateway.example.com/v1' },
        ...{ priority: 5, weight: 0, rpm_limit: 60, tpm_limit: 90_000 },
      }),
      connectionRow(org.orgId, { enabled: false }),
      credentialRow(org.orgId, { provider: 'anthropic' }),
      credentialRow(org.orgId),
    ]
    await putRows(rows)
    const { body, text } = await get(org)
    const choice = { priority: 100, weight: 1, rpm_limit: null, tpm_limit: null }
    const [oldConnection, newConnection, oldCredential, newCredential] = rows.map(({ id }) => id)
    expect(body.cloud_targets).toEqual([
      {
        ...{ id: newConnection, kind: 'connection', provider: 'openai', name: 'by hand', base_url: null },
        ...{ ...choice, enabled: false, verification_status: 'verified', eligible: false, reason: 'disabled' },
      },
      {
        ...{ id: oldConnection, kind: 'connection', provider: 'openai_compatible', name: 'by hand' },
        ...{ base_url: 'https://gateway.example.com/v1', enabled: true, verification_status: 'verified' },
        ...{ priority: 5, weight: 0, rpm_limit: 60, tpm_limit: 90_000 },
        ...{ eligible: true, reason: null },
      },
      {
        ...{ id: newCredential, kind: 'credential', provider: 'openai', name: 'by hand', base_url: null },
        ...{ ...choice, enabled: true, verification_status: null, eligible: true, reason: null },
      },
      {
        ...{ id: oldCredential, kind: 'credential', provider: 'anthropic', name: 'by hand', base_url: null },
        ...{ ...choice, enabled: true, verification_status: null, eligible: true, reason: null },
      },
    ])
    expect(text).not.toMatch(/ciphertext|masked|abcd/)
  })

  test('are not eligible for the first reason of all that hold', async () => {
    const org = await makeBusyOrg()
    const unverified = { enabled: false, provider: 'groq', verification_status: 'unverified' }
    const connection = connectionRow(org.orgId, unverified)
    const credential = credentialRow(org.orgId, { provider: 'groq' })
    await putRows([connection, credential])
    const both = async () => {
      const found = await reasons(org)
      return [found[String(connection.id)], found[String(credential.id)]]
    }
    await setPolicy(org, { cloud_enabled: false, credential_sources: [], provider_allowlist: [] })
    expect(await both()).toEqual(['cloud_disabled', 'cloud_disabled'])
    await setPolicy(org, { cloud_enabled: true, credential_sources: ['managed'], provider_allowlist: ['openai'] })
    expect(await both()).toEqual(['source_not_allowed', 'source_not_allowed'])
    await setPolicy(org, { credential_sources: ['connection'] })
    expect(await both()).toEqual(['provider_not_allowed', 'source_not_allowed'])
    await setPolicy(org, { credential_sources: ['byok'] })
    expect(await both()).toEqual(['source_not_allowed', 'provider_not_allowed'])
    await setPolicy(org, { credential_sources: ['byok', 'connection'], provider_allowlist: ['groq'] })
    expect(await both()).toEqual(['disabled', null])
    const update = { token: org.adminKey, params: { connection_id: String(connection.id) }, body: { enabled: true } }
    expect((await invoke('cloud-connections/update', update)).status).toBe(200)
    expect(await both()).toEqual(['not_verified', null])
    await setPolicy(org, { provider_allowlist: null })
    expect(await both()).toEqual(['not_verified', null])
    const off = { token: org.adminKey, params: { credential_id: String(credential.id) }, body: { enabled: false } }
    expect((await invoke('cloud-credentials/update', off)).status).toBe(200)
    expect(await both()).toEqual(['not_verified', 'disabled'])
  })

  test('that are connections are ineligible unless verified; credentials need no verification', async () => {
    const org = await makeBusyOrg()
    const statuses = [
      ...['unverified', 'invalid_credential', 'insufficient_permission', 'quota_exhausted'],
      ...['rate_limited', 'unreachable', 'provider_error', 'verified'],
    ]
    const rows = statuses.map((verification_status) => connectionRow(org.orgId, { verification_status }))
    const credential = credentialRow(org.orgId)
    await putRows([...rows, credential])
    const found = await reasons(org)
    expect(rows.map(({ id }) => found[String(id)])).toEqual([
      ...Array.from({ length: statuses.length - 1 }, () => 'not_verified'),
      null,
    ])
    expect(found[String(credential.id)]).toBeNull()
  })
})

describe('local targets', () => {
  test('are listed newest first, disabled ones too, after the one that the deployment names', async () => {
    const org = await makeBusyOrg()
    const first = await makeTarget(org, { name: 'first', enabled: false })
    const second = await makeTarget(org, { name: 'second', api_key: 'sk-local-0123456789' })
    const ids = async () => (await get(org)).body.local_targets.map(({ id }: { id: string }) => id)
    expect(await ids()).toEqual([second, first])
    vi.stubEnv('LOCAL_RUNTIME_URL', 'http://127.0.0.1:11434/')
    vi.stubEnv('LOCAL_RUNTIME', 'ollama')
    expect(await ids()).toEqual(['env', second, first])
    const { body, text } = await get(org)
    expect(body.local_targets[0]).toMatchObject({
      source: 'env',
      endpoint: 'http://127.0.0.1:11434',
      runtime: 'ollama',
      enabled: true,
    })
    expect(body.local_targets[2]).toMatchObject({ name: 'first', enabled: false, source: 'api' })
    expect(text).not.toContain('sk-local-0123456789')
    expect(text).not.toContain('ciphertext')
  })

  test('stay as they are when the cloud is switched off', async () => {
    const org = await makeBusyOrg()
    await makeTarget(org)
    const before = (await get(org)).body.local_targets
    await setPolicy(org, { cloud_enabled: false })
    expect((await get(org)).body.local_targets).toEqual(before)
  })
})

test('an org sees nothing of another: targets, policy and routing are its own', async () => {
  const [org, other] = [await makeBusyOrg(), await makeBusyOrg()]
  await makeTarget(org)
  await putRows([connectionRow(org.orgId), credentialRow(org.orgId)])
  await setPolicy(org, { cloud_enabled: false })
  await setRouting(org, { strategy: 'weighted' })
  const empty = await get(await makeBusyOrg())
  expect((await get(other)).text).toBe(empty.text)
  const own = connectionRow(other.orgId)
  await putRows([own])
  expect(await reasons(other)).toEqual({ [String(own.id)]: null })
})

test('reading needs execution:read', async () => {
  const org = await makeBusyOrg()
  expect((await invoke('execution/get', { token: await tokenFor(org.orgId, 'member') })).status).toBe(200)
  const body = { name: 'other', scopes: ['settings:read', 'execution:write'] }
  const { api_key } = (await invoke('api-keys/create', { token: org.adminKey, body })).body
  expectProblem(await invoke('execution/get', { token: api_key }), 'forbidden')
})
