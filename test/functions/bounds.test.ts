/** What grows has a bound, and what cannot be mended by trying again says so. */
import { DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { mockClient } from 'aws-sdk-client-mock'
import { beforeAll, describe, expect, test } from 'vitest'
import { metrics } from '../../shared/usage-limits/record.ts'
import { invoke } from '../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../support/orgs.ts'
import { expectProblem, faultPaths } from '../support/problems.ts'
import { makeTarget, testTarget } from './execution/targets.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
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

  test('that is another than the one a secret was encrypted with asks for the secret again', async () => {
    const target = await makeTarget(org, { api_key: 'sk-stored-before-0002' })
    const kms = mockClient(KMSClient)
    kms.on(DecryptCommand).rejects(fault('IncorrectKeyException'))
    const used = await testTarget(org, target)
    kms.restore()
    expectProblem(used, 'server_error')
    expect(used.body.retryable).toBe(false)
  })
})

test('the fault of an unknown metric lists the known ones, also beside a wrong value', async () => {
  const refused = await invoke('usage-limits/update', {
    token: org.adminKey,
    body: { limits: { max_device: { limit: 1 }, max_models: { limit: 'many' } } },
  })
  expect(faultPaths(refused).sort()).toEqual(['limits.max_device', 'limits.max_models.limit'])
  const { message } = refused.body.errors.find(({ path }: { path: string }) => path === 'limits.max_device')
  for (const metric of metrics) expect(message).toContain(metric)
})
