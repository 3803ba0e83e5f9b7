/** Values that people and machines really send are taken, and those that deceive are refused, wherever they stand. */
import { beforeAll, describe, expect, test } from 'vitest'
import { invoke } from '../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg, tokenFor } from '../support/orgs.ts'
import { expectProblem, faultPaths } from '../support/problems.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

const createKey = (body: object) =>
  invoke('api-keys/create', { token: org.adminKey, body: { name: 'key', scopes: ['keys:read'], ...body } })

describe('an instant', () => {
  test.each([
    ['2099-01-31T12:00Z', '2099-01-31T12:00:00.000Z'],
    ['2099-01-31T12:00:30+01:00', '2099-01-31T11:00:30.000Z'],
    ['2099-01-31T12:00:30+0130', '2099-01-31T10:30:30.000Z'],
    ['2099-01-31T12:00:30-05', '2099-01-31T17:00:30.000Z'],
    ['2099-01-31T12:00:30,123456789Z', '2099-01-31T12:00:30.123Z'],
    ['2099-01-31t12:00:30.5z', '2099-01-31T12:00:30.500Z'],
  ])('%s is taken as %s', async (text, kept) => {
    const { status, body } = await createKey({ expires_at: text })
    expect([status, body.expires_at]).toEqual([201, kept])
  })

  test.each(['2099-01-31T12:00:00', '2099-02-30T12:00Z', '2099-01-31', '2099-01-31T25:00Z', '2099-01-31T12:00+24:00'])(
    '%s is refused: it has no offset or does not exist',
    async (text) => {
      expect(faultPaths(await createKey({ expires_at: text }))).toEqual(['expires_at'])
    },
  )
})

describe('a name', () => {
  test.each(['\u200b', '\u2060', '\u3164', '\u2800', '\u00ad', '\u3164 \u200b', '\u115f'])(
    '%j leaves no ink and is refused as blank',
    async (name) => {
      const refused = await createKey({ name })
      expect(faultPaths(refused)).toEqual(['name'])
      expect(refused.body.errors[0].message).toContain('blank')
    },
  )

  test.each(['\u202egpj.exe', 'a\u2066b', 'x\u200fy'])(
    '%j turns the direction of text and is refused',
    async (name) => {
      expect(faultPaths(await createKey({ name }))).toEqual(['name'])
    },
  )

  test.each(['กขค', 'ग्राहक', '日本', '🚀', '—'])('%s is taken', async (name) => {
    expect((await createKey({ name })).status).toBe(201)
  })
})

test.each(['0x10', '1e1', '+5', ' 5', '05', '5.0', ''])('a limit of %j is refused everywhere', async (limit) => {
  for (const list of ['api-keys/list', 'audit-events/list', 'billing/list-invoices'] as const) {
    expect(faultPaths(await invoke(list, { token: org.adminKey, query: { limit } }))).toEqual(['limit'])
  }
})

test.each([
  ['"sk-proj-0123456789abcdef"', /quotation marks/],
  ["'sk-proj-0123456789abcdef'", /quotation marks/],
  ['Bearer sk-proj-0123456789', /Bearer/],
])('a key that is pasted as %s is refused with the reason', async (api_key, reason) => {
  const refused = await invoke('cloud-credentials/create', {
    token: org.adminKey,
    body: { provider: 'openai', name: 'pasted', api_key },
  })
  expect(faultPaths(refused)).toEqual(['api_key'])
  expect(refused.body.errors[0].message).toMatch(reason)
})

test.each(['https://my_app.example.com', 'https://[2606:4700::1]:8443'])('the origin %s is taken', async (origin) => {
  const key = await makeKey(org, { allowed_origins: [origin] }, 'api-keys/create-publishable-key')
  expect(key.allowed_origins).toEqual([origin])
})

test('an origin of more than 269 characters is refused', async () => {
  const token = org.adminKey
  const origin = `https://${'a'.repeat(270)}.example`
  const body = { name: 'key', allowed_origins: [origin] }
  expect(faultPaths(await invoke('api-keys/create-publishable-key', { token, body }))).toEqual(['allowed_origins.0'])
})

test.each([
  [['pwd', 'otp'], 200],
  [['hwk', 'user', 'pin'], 200],
  [['mfa'], 200],
  [['pwd'], 403],
  [['pwd', 'pin'], 403],
  [['user'], 403],
])('of the methods %j, a second factor is judged as RFC 8176 names them: %i', async (amr, status) => {
  const own = await makeBusyOrg()
  const body = { mfa_required: true, allow_lockout: true }
  await invoke('org-settings/update', { token: own.adminKey, body })
  const token = await tokenFor(own.orgId, 'owner', 600, { amr })
  expect((await invoke('org-settings/get', { token })).status).toBe(status)
})

describe('a body', () => {
  const send = (headers: Record<string, string>, rawBody: string) =>
    invoke('api-keys/create', { token: org.adminKey, headers, rawBody })

  test.each(['gzip', 'br', 'deflate, gzip'])(
    'that is encoded with %s is 415 and names the header',
    async (encoding) => {
      const refused = await send({ 'content-encoding': encoding }, '{}')
      expectProblem(refused, 'unsupported_media_type')
      expect(refused.body.detail).toContain('Content-Encoding')
    },
  )
})
