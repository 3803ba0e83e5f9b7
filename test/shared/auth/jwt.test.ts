import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as fc from 'fast-check'
import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { invoke } from '../../support/invoke.ts'
import { makeKey, makeOrg, type TestOrg } from '../../support/orgs.ts'
import { type Code, expectProblem } from '../../support/problems.ts'

const sharedSecret = new Uint8Array(32).fill(7)
const now = () => Math.floor(Date.now() / 1000)

const pairs = {
  rsa: await generateKeyPair('RS256'),
  ec: await generateKeyPair('ES256'),
  ed: await generateKeyPair('EdDSA'),
}

let org: TestOrg
let server: Server
let issuerUrl: string
let published: { keys: object[] }
let fetched: string[] = []

beforeAll(async () => {
  org = await makeOrg()
  const keys: object[] = [{ kty: 'oct', kid: 'secret', k: Buffer.from(sharedSecret).toString('base64url') }]
  for (const [kid, { publicKey }] of Object.entries(pairs)) keys.push({ ...(await exportJWK(publicKey)), kid })
  published = { keys }
  server = createServer((request, response) => {
    fetched.push(request.url ?? '')
    const discovery = { issuer: issuerUrl, jwks_uri: `${issuerUrl}/keys` }
    const documents: Record<string, object> = { '/.well-known/openid-configuration': discovery, '/keys': { keys } }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(documents[request.url ?? ''] ?? {}))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  issuerUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  process.env.OIDC_ISSUER = issuerUrl
  process.env.OIDC_AUDIENCE = 'octomil-settings'
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
afterEach(() => {
  delete process.env.OIDC_ORG_CLAIM
  delete process.env.OIDC_ROLE_CLAIM
})

const claims = (changes: Record<string, unknown> = {}): JWTPayload => ({
  iss: issuerUrl,
  aud: 'octomil-settings',
  sub: 'user-1',
  org_id: org.orgId,
  role: 'member',
  iat: now(),
  exp: now() + 600,
  ...changes,
})
const sign = (
  payload: JWTPayload,
  header: { alg: string; kid?: string } = { alg: 'RS256', kid: 'rsa' },
  key: CryptoKey | Uint8Array = pairs.rsa.privateKey,
) => new SignJWT(payload).setProtectedHeader(header).sign(key)
const use = (token: string, headers: Record<string, string> = {}) => invoke('api-keys/list', { token, headers })

let mfaOrg: TestOrg | undefined

/** An org that demands a second factor of everyone. */
async function orgWithMfa(): Promise<TestOrg> {
  const made = await makeOrg()
  const body = { mfa_required: true, allow_lockout: true }
  const response = await invoke('org-settings/update', { token: made.adminKey, body })
  expect(response.status, response.text).toBe(200)
  return made
}

describe('a token of the configured issuer', () => {
  test.each([
    ['RS256', 'rsa'],
    ['ES256', 'ec'],
    ['EdDSA', 'ed'],
  ] as const)('signed with %s is taken', async (alg, kid) => {
    const { status } = await use(await sign(claims(), { alg, kid }, pairs[kid].privateKey))
    expect(status).toBe(200)
  })

  test('is taken for as many requests as come, with its keys fetched once', async () => {
    const token = await sign(claims())
    await use(token)
    fetched = []
    for (let count = 0; count < 5; count++) expect((await use(token)).status).toBe(200)
    expect(fetched).toEqual([])
  })

  test('signed with a shared secret is refused, were the secret among the published keys', async () => {
    const token = await sign(claims(), { alg: 'HS256', kid: 'secret' }, sharedSecret)
    expectProblem(await use(token), 'authentication_failed')
  })

  test.each<[string, Record<string, unknown>, Code]>([
    ['another issuer', { iss: 'https://issuer.example.com' }, 'authentication_failed'],
    ['an issuer that begins alike', { iss: 'ISSUER.evil.example' }, 'authentication_failed'],
    ['no issuer', { iss: undefined }, 'authentication_failed'],
    ['another audience', { aud: 'octomil' }, 'authentication_failed'],
    ['no audience', { aud: undefined }, 'authentication_failed'],
    ['no expiry', { exp: undefined }, 'authentication_failed'],
    ['an expiry that is no number', { exp: 'never' }, 'authentication_failed'],
    ['an expiry in the past', { exp: 1 }, 'token_expired'],
    ['a beginning in the future', { nbf: 4_102_444_800 }, 'authentication_failed'],
    ['no subject', { sub: undefined }, 'authentication_failed'],
    ['an empty subject', { sub: '' }, 'authentication_failed'],
    ['a subject beyond 255 characters', { sub: 'x'.repeat(256) }, 'authentication_failed'],
    ['a subject beyond ASCII', { sub: 'usér' }, 'authentication_failed'],
    ['a subject that is no text', { sub: 7 }, 'authentication_failed'],
    ['no org', { org_id: undefined }, 'authentication_failed'],
    ['an org that is no id', { org_id: 'ORG#x' }, 'authentication_failed'],
    ['several orgs', { org_id: ['org_01jd3v7k3q9x5m2n8r4t6w0y1z'] }, 'authentication_failed'],
    ['no role', { role: undefined }, 'authentication_failed'],
    ['an unknown role', { role: 'root' }, 'authentication_failed'],
    ['a role by its inheritance', { role: 'constructor' }, 'authentication_failed'],
    ['several roles', { role: ['owner'] }, 'authentication_failed'],
    ['the use of an access token', { token_use: 'access' }, 'authentication_failed'],
    ['an unknown use', { token_use: ['id'] }, 'authentication_failed'],
    ['an auth_time that is text', { auth_time: String(now()) }, 'authentication_failed'],
    ['an auth_time that is null', { auth_time: null }, 'authentication_failed'],
    ['an auth_time that is a list', { auth_time: [now()] }, 'authentication_failed'],
    ['an auth_time in the future', { auth_time: now() + 60 }, 'authentication_failed'],
    ['an auth_time in milliseconds', { auth_time: Date.now() }, 'authentication_failed'],
    ['an auth_time before 1970', { auth_time: -1 }, 'authentication_failed'],
    ['an iat in the future', { iat: now() + 60 }, 'authentication_failed'],
    ['an iat in the future beside a good auth_time', { iat: now() + 60, auth_time: now() }, 'authentication_failed'],
    ['an iat that is text', { iat: String(now()) }, 'authentication_failed'],
    ['an iat in milliseconds', { iat: Date.now() }, 'authentication_failed'],
    ['neither iat nor auth_time', { iat: undefined }, 'authentication_failed'],
    ['an expiry in milliseconds', { exp: Date.now() + 600_000 }, 'authentication_failed'],
    ['an expiry that is negative', { exp: -1 }, 'token_expired'],
    ['a beginning that is text', { nbf: '0' }, 'authentication_failed'],
  ])('with %s is refused', async (_what, changes, code) => {
    const given = Object.fromEntries(
      Object.entries(changes).map(([name, value]) => [
        name,
        typeof value === 'string' ? value.replace('ISSUER', issuerUrl) : value,
      ]),
    )
    expectProblem(await use(await sign(claims(given))), code)
  })

  test('whose expiry is beyond all numbers is refused', async () => {
    const [header, payload = ''] = (await sign(claims({ exp: 4_102_444_800 }))).split('.')
    const text = Buffer.from(payload, 'base64url').toString().replace('4102444800', '1e400')
    const signed = new CompactSign(Buffer.from(text)).setProtectedHeader({ alg: 'RS256', kid: 'rsa' })
    expect(header).toBeDefined()
    expectProblem(await use(await signed.sign(pairs.rsa.privateKey)), 'authentication_failed')
  })

  test('issued by a clock that is a little ahead is taken', async () => {
    expect((await use(await sign(claims({ iat: now() + 3, auth_time: now() + 3 })))).status).toBe(200)
  })

  test.each(['user 1', ' ', 'CN=Ann Example,O=Acme', '|~!"#', 'x'.repeat(255)])(
    'has a subject of any ASCII characters: %j',
    async (sub) => {
      expect((await use(await sign(claims({ sub })))).status).toBe(200)
    },
  )

  test('is refused where no audience is configured: it may be for another service', async () => {
    const { OIDC_AUDIENCE } = process.env
    delete process.env.OIDC_AUDIENCE
    const response = await use(await sign(claims()))
    process.env.OIDC_AUDIENCE = OIDC_AUDIENCE
    expectProblem(response, 'authentication_failed')
  })

  test.each<[amr: unknown, status: number]>([
    [['mfa'], 200],
    [['pwd', 'mfa'], 200],
    [['pwd', 'otp'], 200],
    [['hwk', 'user', 'pin'], 200],
    [['face', 'swk'], 200],
    [['fpt', 'pin'], 200],
    [['sc', 'pin'], 200],
    [['pwd', 'sms'], 200],
    [undefined, 403],
    [[], 403],
    ['mfa', 403],
    ['pwd otp', 403],
    [{ 0: 'mfa' }, 403],
    [['pwd'], 403],
    [['pwd', 'pin', 'kba'], 403],
    [['otp', 'sms'], 403],
    [['hwk', 'user'], 403],
    [['pwd', 'user', 'rba', 'geo', 'mca', 'wia'], 403],
    [['pwd', 'constructor'], 403],
    [['pwd', ['otp']], 403],
    [['MFA'], 403],
  ])('with the methods %j is let in or not where a second factor is demanded: %i', async (amr, status) => {
    mfaOrg ??= await orgWithMfa()
    const token = await sign(claims({ org_id: mfaOrg.orgId, amr }))
    expect((await use(token)).status).toBe(status)
  })

  test('that says that it is an ID token is taken', async () => {
    expect((await use(await sign(claims({ token_use: 'id' })))).status).toBe(200)
  })

  test('with several audiences is taken when ours is among them', async () => {
    expect((await use(await sign(claims({ aud: ['other', 'octomil-settings'] })))).status).toBe(200)
  })

  test('that expired a moment ago is taken, for clocks differ', async () => {
    expect((await use(await sign(claims({ exp: now() - 1 })))).status).toBe(200)
    expectProblem(await use(await sign(claims({ exp: now() - 30 }))), 'token_expired')
  })

  test('has the org and the role in the claims that the stage names', async () => {
    process.env.OIDC_ORG_CLAIM = 'custom:org'
    process.env.OIDC_ROLE_CLAIM = 'custom:role'
    const named = await sign(
      claims({ org_id: undefined, role: undefined, 'custom:org': org.orgId, 'custom:role': 'member' }),
    )
    expect((await use(named)).status).toBe(200)
    expectProblem(await use(await sign(claims())), 'authentication_failed')
  })

  test('of a key that the issuer does not have is refused, and so is a changed one', async () => {
    const { privateKey } = await generateKeyPair('RS256')
    expectProblem(await use(await sign(claims(), { alg: 'RS256', kid: 'rsa' }, privateKey)), 'authentication_failed')
    expectProblem(await use(await sign(claims(), { alg: 'RS256', kid: 'nobody' }, privateKey)), 'authentication_failed')
    const [header, payload = '', signature] = (await sign(claims())).split('.')
    const changed = JSON.parse(Buffer.from(payload, 'base64url').toString()) as JWTPayload
    const owner = Buffer.from(JSON.stringify({ ...changed, role: 'owner' })).toString('base64url')
    expectProblem(await use(`${header}.${owner}.${signature}`), 'authentication_failed')
  })

  test('is not taken in X-API-Key', async () => {
    const response = await invoke('api-keys/list', { headers: { 'x-api-key': await sign(claims()) } })
    expectProblem(response, 'invalid_api_key')
  })

  test('acts for its own org alone', async () => {
    const other = await makeOrg()
    const key = await makeKey(other)
    const owner = await sign(claims({ role: 'owner' }))
    const response = await invoke('api-keys/get', { token: owner, params: { key_id: key.id } })
    expectProblem(response, 'not_found')
  })
})

describe('a discovery document', () => {
  test.each([
    ['another issuer', (url: string) => ({ issuer: `${url}/other`, jwks_uri: `${url}/keys` })],
    ['the issuer with a slash more', (url: string) => ({ issuer: `${url}/`, jwks_uri: `${url}/keys` })],
    ['no issuer', (url: string) => ({ jwks_uri: `${url}/keys` })],
    ['nothing', () => null],
  ])('that names %s is not trusted with keys', async (_what, documentOf) => {
    const other = createServer((request, response) => {
      const { port } = other.address() as AddressInfo
      const document = documentOf(`http://127.0.0.1:${port}`)
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(request.url === '/keys' ? published : document))
    }).listen(0, '127.0.0.1')
    await once(other, 'listening')
    process.env.OIDC_ISSUER = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    const response = await use(await sign(claims({ iss: process.env.OIDC_ISSUER })))
    process.env.OIDC_ISSUER = issuerUrl
    other.close()
    expectProblem(response, 'service_unavailable')
  })
})

describe('text that only looks like a token', () => {
  const part = fc.oneof(
    fc.string({ maxLength: 40 }).map((text) => Buffer.from(text).toString('base64url')),
    fc.json({ maxDepth: 2 }).map((text) => Buffer.from(text).toString('base64url')),
    fc
      .record({
        alg: fc.constantFrom('RS256', 'ES256', 'EdDSA', 'none', 'HS256', 'dir', 7),
        kid: fc.constantFrom('rsa', 'ec', 'ed', 'secret', undefined, 7),
        typ: fc.constantFrom('JWT', undefined),
        crit: fc.constantFrom(undefined, [], ['b64'], 'b64'),
        b64: fc.constantFrom(undefined, false),
        jwk: fc.constantFrom(undefined, {}, { kty: 'oct', k: 'AA' }),
        zip: fc.constantFrom(undefined, 'DEF'),
      })
      .map((header) => Buffer.from(JSON.stringify(header)).toString('base64url')),
    fc.constantFrom('', '=', 'é', '%', '\ud800'),
  )

  test('is refused as a bad credential, never as a fault of ours', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 5 }), async (parts) => {
        expectProblem(await use(parts.join('.')), 'authentication_failed')
      }),
      { numRuns: 300 },
    )
  })
})
