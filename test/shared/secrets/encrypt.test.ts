import { DecryptCommand } from '@aws-sdk/client-kms'
import * as fc from 'fast-check'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { encrypt, encryptField } from '../../../shared/secrets/encrypt.ts'
import { kms, type SecretBinding } from '../../../shared/secrets/kms.ts'
import { Secret } from '../../../shared/secrets/secret.ts'
import { faultServer } from '../../support/faults.ts'
import { invoke } from '../../support/invoke.ts'
import { makeOrg, type TestOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { rowsOf } from '../../support/rows.ts'

const binding: SecretBinding = { orgId: 'org_1', recordId: 'int_1', purpose: 'integration' }

const decrypt = async (CiphertextBlob: Uint8Array, EncryptionContext: Record<string, string>): Promise<string> => {
  const { Plaintext = new Uint8Array() } = await kms().send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))
  return Buffer.from(Plaintext).toString()
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('encrypting', () => {
  test('of any text opens to that text under the context of its row, and holds none of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 12, maxLength: 200 }), async (text) => {
        const { ciphertext } = await encrypt(new Secret(text), binding)
        const context = { org_id: 'org_1', record_id: 'int_1', purpose: 'integration' }
        expect(await decrypt(ciphertext, context)).toBe(text)
        expect(Buffer.from(ciphertext).includes(Buffer.from(text))).toBe(false)
      }),
      { numRuns: 25 },
    )
  })

  test.each<[string, Partial<SecretBinding>]>([
    ['org', { orgId: 'org_2' }],
    ['record', { recordId: 'int_2' }],
    ['purpose', { purpose: 'sso' }],
  ])('for another %s does not open in its place', async (_title, other) => {
    const { ciphertext } = await encrypt(new Secret('kJ8sLw2mQz71pXv7'), { ...binding, ...other })
    const context = { org_id: 'org_1', record_id: 'int_1', purpose: 'integration' }
    await expect(decrypt(ciphertext, context)).rejects.toMatchObject({ name: 'InvalidCiphertextException' })
  })

  test('shows the mask, or a given replacement', async () => {
    const secret = new Secret('kJ8sLw2mQz71pXv7')
    expect((await encrypt(secret, binding)).masked).toBe('…pXv7')
    expect((await encrypt(secret, binding, 'https://acme.io/…pXv7')).masked).toBe('https://acme.io/…pXv7')
  })

  test('says which variable is missing when no key is named', async () => {
    vi.stubEnv('SECRETS_KEY_ID', '')
    await expect(encrypt(new Secret('kJ8sLw2mQz71pXv7'), binding)).rejects.toThrow('SECRETS_KEY_ID')
  })
})

describe('a stored secret under a patch', () => {
  test('stays when the field is absent, is removed by null, and is replaced by a new one', async () => {
    const current = await encrypt(new Secret('kJ8sLw2mQz71pXv7'), binding)
    expect(await encryptField(undefined, current, binding)).toBe(current)
    expect(await encryptField(undefined, null, binding)).toBeNull()
    expect(await encryptField(null, current, binding)).toBeNull()
    const replaced = await encryptField(new Secret('another secret 8888'), current, binding)
    expect(replaced?.masked).toBe('…8888')
    expect(replaced?.ciphertext).not.toEqual(current.ciphertext)
  })
})

describe('a KMS that fails, as an operation sees it', () => {
  let org: TestOrg
  beforeAll(async () => {
    org = await makeOrg()
  })

  /** Runs while each attempt of a call to KMS goes to another port, inside the client's retries. */
  async function divertKms<T>(port: number, run: () => Promise<T>): Promise<T> {
    kms().middlewareStack.add(
      (next) => (args) => {
        Object.assign(args.request as object, { port })
        return next(args)
      },
      { step: 'finalizeRequest', priority: 'low', name: 'divertKms' },
    )
    try {
      return await run()
    } finally {
      kms().middlewareStack.remove('divertKms')
    }
  }

  const api_key = '9775a026f1ca7d1c6c5af9d94d9595a4'
  const create = () =>
    invoke('integrations/create', {
      token: org.adminKey,
      body: { type: 'datadog', name: 'x', config: { api_key } },
      headers: { 'idempotency-key': 'one try after another' },
    })

  test.each([
    { status: 500, type: 'KMSInternalException' },
    { status: 503, type: 'KeyUnavailableException' },
  ])('$status $type is tried again, then 503, and nothing is written', async (fault) => {
    const server = await faultServer(fault)
    try {
      const response = await divertKms(server.port, create)
      expectProblem(response, 'service_unavailable')
      expect(response.body.retryable).toBe(true)
      expect(response.text).not.toContain(api_key)
      expect(server.requests()).toBe(3)
    } finally {
      server.close()
    }
    expect(await rowsOf(org.orgId, 'INT#')).toEqual([])
  })

  test('refused connections are 503', async () => {
    const server = await faultServer('hang')
    server.close()
    expectProblem(await divertKms(server.port, create), 'service_unavailable')
    expect(await rowsOf(org.orgId, 'INT#')).toEqual([])
  })

  test('a key that may not be used is 503, not to be retried, without the reason and without another attempt', async () => {
    const server = await faultServer({ status: 400, type: 'AccessDeniedException' })
    try {
      const response = await divertKms(server.port, create)
      expectProblem(response, 'service_unavailable')
      expect(response.body.retryable).toBe(false)
      expect(response.text).not.toMatch(/AccessDenied|a fault of the test/)
      expect(server.requests()).toBe(1)
    } finally {
      server.close()
    }
  })

  test('after recovery the same idempotency key succeeds: our own failure is not kept', async () => {
    expect((await create()).status).toBe(201)
    expect(await rowsOf(org.orgId, 'INT#')).toHaveLength(1)
  })
})
