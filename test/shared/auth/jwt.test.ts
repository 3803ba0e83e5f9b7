import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as fc from 'fast-check'
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
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
let fetched: string[] = []

beforeAll(async () => {
  org = await makeOrg()
  const keys: object[] = [{ kty: 'oct', kid: 'secret', k: Buffer.from(sharedSecret).toString('base64url') }]
  for (const [kid, { publicKey }] of Object.entries(pairs)) keys.push({ ...(await exportJWK(publicKey)), kid })
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
    ['an auth_time that is text', { auth_time: 'yesterday' }, 'authentication_failed'],
    ['an auth_time in the future', { auth_time: 4_102_444_800 }, 'authentication_failed'],
    ['an auth_time in milliseconds', { auth_time: Date.now() }, 'authentication_failed'],
    ['an iat in the future', { iat: 4_102_444_800 }, 'authentication_failed'],
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
  ])('with %s is refused', async (_what, changes, code) => {
    const given = Object.fromEntries(
      Object.entries(changes).map(([name, value]) => [
        name,
        typeof value === 'string' ? value.replace('ISSUER', issuerUrl) : value,
      ]),
    )
    expectProblem(await use(await sign(claims(given))), code)
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

describe('what only looks like a token', () => {
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
