/** The client secret of SSO: written, never read; searched wherever it could have gone. */
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { beforeAll, describe, expect, test } from 'vitest'
import { kms } from '../../../shared/secrets/kms.ts'
import { eventsOf, makeOrgOn, trailEnd } from '../../support/governance.ts'
import { invoke, type Response } from '../../support/invoke.ts'
import { logLines } from '../../support/logs.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { allRows, putRow, rowsOf } from '../../support/rows.ts'

const get = ({ adminKey }: TestOrg) => invoke('org-auth/get', { token: adminKey })
const patch = ({ adminKey }: TestOrg, body: unknown, token = adminKey) => invoke('org-auth/update', { token, body })

interface Encrypted {
  ciphertext: Uint8Array
  masked: string
}
const encryptedOf = async ({ orgId }: Pick<TestOrg, 'orgId'>): Promise<Encrypted> => {
  const [row] = await rowsOf(orgId, 'AUTH')
  const value = row?.value as { sso_client_secret: Encrypted } | undefined
  if (!value) throw new Error('the org has no AUTH row')
  return value.sso_client_secret
}
const open = async (ciphertext: Uint8Array, context: Record<string, string>): Promise<string> => {
  const kms = new KMSClient({ endpoint: process.env.AWS_ENDPOINT_URL_KMS ?? '' })
  const { Plaintext } = await kms.send(new DecryptCommand({ CiphertextBlob: ciphertext, EncryptionContext: context }))
  return Buffer.from(Plaintext ?? []).toString()
}

/** All of a row as text; binary attributes in every form that could contain a secret. */
const spelled = (row: object): string =>
  JSON.stringify(row, (_name, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value))

describe('a canary in sso_client_secret', () => {
  const canaries = [
    'canary-one-3fK9xQ',
    'canary-two-8sL2vM',
    'canary-bad-5tR7wN',
    'canary-denied-1dG4',
    'canary-402-6hJ0z',
  ]
  const answers: Response[] = []
  let org: TestOrg

  beforeAll(async () => {
    org = await makeOrgOn('team')
    const free = await makeBusyOrg()
    const [one, two, bad, denied, unpaid] = canaries
    const oidc = { sso_enabled: true, sso_protocol: 'oidc', sso_issuer: 'https://idp.example.com', sso_client_id: 'x' }
    answers.push(
      await patch(org, { ...oidc, sso_client_secret: one }),
      await patch(org, { sso_client_secret: two }),
      await patch(org, { sso_client_secret: bad, sso_protocol: 'nonsense' }),
      await patch(org, { sso_client_secret: `${bad}…` }),
      await patch(org, { sso_client_secret: bad?.repeat(300) }),
      await patch(org, { sso_client_secret: { value: bad } }),
      await patch(org, { sso_client_secret: [bad] }),
      await patch(org, { sso_secret: bad }),
      await patch(org, { sso_client_secret: bad, sso_enforced: true, sso_enabled: false }),
      await patch(org, { sso_client_secret: denied }, org.readOnlyKey),
      await patch(org, { sso_client_secret: denied }, await tokenFor(org.orgId, 'member')),
      await patch(free, { ...oidc, sso_client_secret: unpaid }),
      await invoke('org-auth/update', {
        token: org.adminKey,
        body: { sso_client_secret: bad },
        headers: { 'if-match': '"stale"' },
      }),
      await invoke('org-auth/update', { token: org.adminKey, rawBody: `{"sso_client_secret":"${bad}",` }),
      await get(org),
      await patch(org, { sso_client_secret: null, sso_enabled: false }),
      await get(org),
      await patch(org, { sso_client_secret: one }),
    )
    for (const of of [org, free]) answers.push(await invoke('audit-events/list', { token: of.adminKey }))
  })

  test('was sent in requests that went every way', () => {
    expect(answers.map(({ status }) => status)).toEqual([
      ...[200, 200, 400, 400, 400, 400, 400, 400, 400, 403, 403, 402, 412, 400, 200, 200, 200, 200],
      ...[200, 200],
    ])
  })

  test('is in no answer, whether the patch was taken or refused', () => {
    for (const { text, headers } of answers) {
      for (const canary of canaries) expect(text + JSON.stringify(headers)).not.toContain(canary)
    }
  })

  test('is in no log line', () => {
    expect(logLines.length).toBeGreaterThan(answers.length)
    for (const canary of canaries) expect(logLines.join('\n')).not.toContain(canary)
  })

  test('is in no row of the table, an audit event’s among them, in plain or in base64', async () => {
    const rows = (await allRows()).map(spelled).join('\n')
    expect(rows).toContain('EVENT#')
    for (const canary of canaries) {
      expect(rows).not.toContain(canary)
      expect(rows).not.toContain(Buffer.from(canary).toString('base64').slice(0, 16))
      expect(rows).not.toContain(Buffer.from(canary).toString('hex'))
    }
  })

  test('is found encrypted: KMS opens it with the context of its row', async () => {
    const { ciphertext, masked } = await encryptedOf(org)
    const context = { org_id: org.orgId, record_id: org.orgId, purpose: 'sso' }
    expect(await open(ciphertext, context)).toBe(canaries[0])
    expect(masked).toBe('…K9xQ')
  })

  test('does not open with any other context', async () => {
    const { ciphertext } = await encryptedOf(org)
    const context = { org_id: org.orgId, record_id: org.orgId, purpose: 'sso' }
    const other = `org_${'0'.repeat(26)}`
    for (const wrong of [
      { ...context, org_id: other },
      { ...context, record_id: other },
      { ...context, purpose: 'integration' },
      { org_id: org.orgId, purpose: 'sso' },
      {},
    ] as Record<string, string>[]) {
      await expect(open(ciphertext, wrong)).rejects.toThrow(
        expect.objectContaining({ name: 'InvalidCiphertextException' }),
      )
    }
  })
})

test('of a patch that is refused is not encrypted: KMS is not asked', async () => {
  const org = await makeBusyOrg()
  const sso_client_secret = 'a secret that is not kept'
  const refusals = [
    [{ sso_client_secret, sso_enforced: true }, {}, 'invalid_input'],
    [{ sso_client_secret }, { 'if-match': '"stale"' }, 'precondition_failed'],
    [{ sso_client_secret, scim_enabled: true }, {}, 'plan_limit_reached'],
  ] as const
  const sent: string[] = []
  kms().middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        sent.push(String(commandName))
        return next(args)
      },
    { step: 'initialize', name: 'noteKms' },
  )
  try {
    for (const [body, headers, code] of refusals) {
      expectProblem(await invoke('org-auth/update', { token: org.adminKey, body, headers }), code)
    }
    expect(sent).toEqual([])
    await patch(org, { sso_client_secret })
    expect(sent).toEqual(['EncryptCommand'])
  } finally {
    kms().middlewareStack.remove('noteKms')
  }
})

describe('the view of the secret', () => {
  let org: TestOrg
  beforeAll(async () => {
    org = await makeBusyOrg()
  })

  test.each([
    ['x', '…'],
    ['elevenchars', '…'],
    ['twelve chars', '…hars'],
    ['a client secret of 32 characters', '…ters'],
    ['s'.repeat(1024), '…ssss'],
  ])('%j is shown as %j by the patch and by every read', async (secret, masked) => {
    expect((await patch(org, { sso_client_secret: secret })).body.sso_client_secret).toBe(masked)
    expect((await get(org)).body.sso_client_secret).toBe(masked)
    const events = await eventsOf(org, 'org_auth.updated')
    expect(events.at(-1)?.changes).toEqual([
      { field: 'sso_client_secret', before: events.at(-2)?.changes[0]?.after ?? null, after: masked },
    ])
  })

  test.each(['with a line\nbreak', 'with a NUL\u0000', 'beyond ASCII 😀😀b'])(
    '%j is refused: RFC 6749 has printable ASCII only',
    async (text) => {
      const refused = await patch(org, { sso_client_secret: text })
      expect([refused.status, refused.body.errors?.[0]?.path]).toEqual([400, 'sso_client_secret'])
      const id = await patch(org, { sso_client_id: text })
      expect([id.status, id.body.errors?.[0]?.path]).toEqual([400, 'sso_client_id'])
    },
  )

  test('is not sent to another identity provider: a new issuer or metadata URL needs it again', async () => {
    const own = await makeBusyOrg()
    await patch(own, { sso_client_secret: 'a secret of one issuer', sso_issuer: 'https://idp.example.com' })
    for (const moved of [
      { sso_issuer: 'https://evil.example' },
      { sso_metadata_url: 'https://evil.example/metadata' },
    ]) {
      const refused = await patch(own, moved)
      expect([refused.status, refused.body.errors?.[0]?.path]).toEqual([400, 'sso_client_secret'])
    }
    // Taken away and named again is moved all the same.
    expect((await patch(own, { sso_issuer: null })).status).toBe(200)
    expect((await patch(own, { sso_issuer: 'https://evil.example' })).status).toBe(400)
    expect((await patch(own, { sso_issuer: 'https://evil.example', sso_client_secret: null })).status).toBe(200)
    expect((await patch(own, { sso_issuer: 'https://idp.example.com', sso_client_secret: 'another one' })).status).toBe(
      200,
    )
  })

  test('null clears it, and the event has the old mask', async () => {
    await patch(org, { sso_client_secret: 'a secret to be cleared' })
    expect((await patch(org, { sso_client_secret: null })).body.sso_client_secret).toBeNull()
    expect((await get(org)).body.sso_client_secret).toBeNull()
    expect(await encryptedOf(org)).toBeNull()
    const events = await eventsOf(org, 'org_auth.updated')
    expect(events.at(-1)?.changes).toEqual([{ field: 'sso_client_secret', before: '…ared', after: null }])
  })

  test('a patch that leaves it out keeps the very ciphertext', async () => {
    await patch(org, { sso_client_secret: 'a secret that is kept' })
    const before = await encryptedOf(org)
    await patch(org, { sso_client_id: 'another' })
    expect(await encryptedOf(org)).toEqual(before)
    expect((await eventsOf(org, 'org_auth.updated')).at(-1)?.changes.map(({ field }) => field)).toEqual([
      'sso_client_id',
    ])
  })

  test('replacing it by one with the same last characters is a change, with its event', async () => {
    await patch(org, { sso_client_secret: 'the first secret 1234' })
    const end = await trailEnd(org)
    const { status, body } = await patch(org, { sso_client_secret: 'the second secret 1234' })
    expect({ status, shown: body.sso_client_secret }).toEqual({ status: 200, shown: '…1234' })
    expect(await trailEnd(org)).toBe(end + 1)
    expect((await eventsOf(org, 'org_auth.updated')).at(-1)?.changes).toEqual([
      { field: 'sso_client_secret', before: '…1234', after: '…1234' },
    ])
    const context = { org_id: org.orgId, record_id: org.orgId, purpose: 'sso' }
    expect(await open((await encryptedOf(org)).ciphertext, context)).toBe('the second secret 1234')
  })

  test('sending back what a read showed is 400 and keeps the secret', async () => {
    await patch(org, { sso_client_secret: 'a secret and its mask' })
    const before = await encryptedOf(org)
    const { body } = await get(org)
    const refused = await patch(org, { sso_client_id: 'form', sso_client_secret: body.sso_client_secret })
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual(['sso_client_secret'])
    expect(refused.body.detail).toContain('mask')
    expectProblem(await patch(org, { sso_client_secret: '…' }), 'invalid_input')
    expect(await encryptedOf(org)).toEqual(before)
  })

  test('a row copied to another org is shown there by its mask only, and its ciphertext does not open there', async () => {
    const thief = await makeBusyOrg()
    await patch(org, { sso_client_secret: 'a secret to be stolen' })
    const [row] = await rowsOf(org.orgId, 'AUTH')
    await putRow({ ...row, pk: `ORG#${thief.orgId}`, sk: 'AUTH' })
    expect((await get(thief)).body.sso_client_secret).toBe('…olen')
    const context = { org_id: thief.orgId, record_id: thief.orgId, purpose: 'sso' }
    await expect(open((await encryptedOf(thief)).ciphertext, context)).rejects.toThrow()
  })
})
