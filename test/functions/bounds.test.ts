/** What grows has a bound, and what cannot be mended by trying again says so. */
import { DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { mockClient } from 'aws-sdk-client-mock'
import { beforeAll, describe, expect, test } from 'vitest'
import { metrics } from '../../shared/usage-limits/record.ts'
import { callsDuring } from '../support/faults.ts'
import { invoke } from '../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from '../support/orgs.ts'
import { expectProblem, faultPaths } from '../support/problems.ts'
import { putRow, rowsOf } from '../support/rows.ts'
import { makeTarget, testTarget } from './execution/targets.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

describe('the API keys of an organization', () => {
  const keyCount = async (orgId: string) => (await rowsOf(orgId, 'COUNT#KEY#'))[0]?.count
  const create = (own: TestOrg) =>
    invoke('api-keys/create', { token: own.adminKey, body: { name: 'one more', scopes: ['keys:read'] } })

  test('are at most 1,000 that are not revoked; a revocation makes room, a rotation needs none', async () => {
    const own = await makeBusyOrg()
    const made = await makeKey(own)
    await putRow({ pk: `ORG#${own.orgId}`, sk: 'COUNT#KEY#', count: 1000 })
    const refused = await create(own)
    expectProblem(refused, 'conflict')
    expect(refused.body.detail).toContain('1000 API keys')
    const rotated = await invoke('api-keys/rotate', { token: own.adminKey, params: { key_id: made.id } })
    expect([rotated.status, await keyCount(own.orgId)]).toEqual([201, 1000])
    // The rotated key has left the count already.
    await invoke('api-keys/revoke', { token: own.adminKey, params: { key_id: made.id } })
    expect(await keyCount(own.orgId)).toBe(1000)
    await invoke('api-keys/revoke', { token: own.adminKey, params: { key_id: rotated.body.id } })
    expect((await create(own)).status).toBe(201)
  })

  test('that are revoked write no counters from the second request on', async () => {
    const { id, api_key } = await makeKey(org)
    await invoke('api-keys/revoke', { token: org.adminKey, params: { key_id: id } })
    const ask = () => invoke('api-keys/list', { token: api_key })
    expectProblem(await ask(), 'invalid_api_key')
    const calls = await callsDuring(async () => expectProblem(await ask(), 'invalid_api_key'))
    expect(calls.filter(({ command }) => command === 'UpdateItemCommand')).toEqual([])
  })
})

describe('a KMS key that cannot be used', () => {
  const fault = (name: string) => Object.assign(new Error(name), { name, $fault: 'client', $metadata: {} })

  test.each(['DisabledException', 'KMSInvalidStateException', 'NotFoundException', 'AccessDeniedException'])(
    'is no fault to try again: %s when a secret is stored or used',
    async (name) => {
      const target = await makeTarget(org, { api_key: 'sk-stored-before-0001' })
      const kms = mockClient(KMSClient)
      kms.on(EncryptCommand).rejects(fault(name)).on(DecryptCommand).rejects(fault(name))
      const body = { provider: 'openai', name: 'key', api_key: 'sk-1234567890abcdef' }
      const stored = await invoke('cloud-credentials/create', { token: org.adminKey, body })
      const used = await testTarget(org, target)
      kms.restore()
      for (const answer of [stored, used]) {
        expectProblem(answer, 'service_unavailable')
        expect(answer.body.retryable).toBe(false)
        expect(answer.text).not.toContain(name)
      }
    },
  )

  test('that is another than the one a secret was sealed with asks for the secret again', async () => {
    const target = await makeTarget(org, { api_key: 'sk-stored-before-0002' })
    const kms = mockClient(KMSClient)
    kms.on(DecryptCommand).rejects(fault('IncorrectKeyException'))
    const used = await testTarget(org, target)
    kms.restore()
    expectProblem(used, 'server_error')
    expect(used.body.retryable).toBe(false)
  })
})

test('an unknown metric is told the known ones, also beside a value that is wrong', async () => {
  const refused = await invoke('usage-limits/update', {
    token: org.adminKey,
    body: { limits: { max_device: { limit: 1 }, max_models: { limit: 'many' } } },
  })
  expect(faultPaths(refused).sort()).toEqual(['limits.max_device', 'limits.max_models.limit'])
  const { message } = refused.body.errors.find(({ path }: { path: string }) => path === 'limits.max_device')
  for (const metric of metrics) expect(message).toContain(metric)
})
