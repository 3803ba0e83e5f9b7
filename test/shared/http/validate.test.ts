/** Bodies that are refused before they are parsed, and the words of faults. */
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { createApiKey } from '../../../functions/api-keys/contract.ts'
import { catchAll } from '../../../functions/operations.ts'
import type { Operation } from '../../../shared/http/operation.ts'
import { eventFor, invoke, invokeEvent, type Response } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

const create = (body: object, headers: Record<string, string> = {}) =>
  invoke('api-keys/create', { token: org.adminKey, body, headers })
const createInBytes = (bytes: Uint8Array, headers: Record<string, string> = {}): Promise<Response> => {
  const event = eventFor(createApiKey as unknown as Operation, {
    token: org.adminKey,
    rawBody: Buffer.from(bytes).toString('base64'),
    headers,
  })
  return invokeEvent('api-keys/create', { ...event, isBase64Encoded: true })
}
const keyBody = { name: 'server', scopes: ['keys:read'] }
const named = (name: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from('{"scopes":["keys:read"],"name":"x'), name, Buffer.from('"}')])

describe('a compressed body', () => {
  test.each(['gzip', 'br', 'zstd', 'GZIP', 'identity, gzip', 'x-unknown'])(
    '%s is 415 and says why',
    async (encoding) => {
      const refused = await createInBytes(gzipSync(JSON.stringify(keyBody)), { 'content-encoding': encoding })
      expectProblem(refused, 'unsupported_media_type')
      expect(refused.body.detail).toContain('Content-Encoding')
      expect(refused.headers['accept-encoding']).toBe('identity')
    },
  )

  test.each(['identity', 'Identity', '', 'identity, identity'])('that is none is taken: %j', async (encoding) => {
    expect((await create(keyBody, { 'content-encoding': encoding })).status).toBe(201)
  })

  test('that is empty is none', async () => {
    const list = await invoke('api-keys/list', { token: org.adminKey, headers: { 'content-encoding': 'gzip' } })
    expect(list.status).toBe(200)
  })
})

describe('a body that is not UTF-8', () => {
  const broken = {
    'Latin-1': 'e9',
    'an overlong slash': 'c0af',
    'half of a surrogate pair': 'eda080',
    'an emoji that is cut': 'f09f98',
    'a euro sign that is cut': 'e282',
    'a byte that begins nothing': 'ff',
    'beyond Unicode': 'f4908080',
  }

  test.each(Object.entries(broken))('in base64 is 400 that names the encoding: %s', async (_what, hex) => {
    const refused = await createInBytes(named(Buffer.from(hex, 'hex')))
    expectProblem(refused, 'invalid_input')
    expect(refused.body.detail).toContain('UTF-8')
  })

  test.each(Object.entries(broken).filter(([what]) => what !== 'an emoji that is cut'))(
    'that a gateway has repaired is 400 that names the encoding: %s',
    async (_what, hex) => {
      const bytes = named(Buffer.from(hex, 'hex'))
      const refused = await invoke('api-keys/create', {
        token: org.adminKey,
        rawBody: bytes.toString('utf8'),
        headers: { 'content-length': String(bytes.byteLength) },
      })
      expectProblem(refused, 'invalid_input')
      expect(refused.body.detail).toContain('UTF-8')
    },
  )

  test('is not one that holds the replacement character itself', async () => {
    const rawBody = JSON.stringify({ ...keyBody, name: 'a \ufffd b' })
    const headers = { 'content-length': String(Buffer.byteLength(rawBody)) }
    const taken = await invoke('api-keys/create', { token: org.adminKey, rawBody, headers })
    expect([taken.status, taken.body.name]).toEqual([201, 'a \ufffd b'])
  })
})

describe('a fault', () => {
  test('of a wildcard as a scope names the bundles', async () => {
    for (const scope of ['*', 'keys:*', 'admin:*']) {
      const refused = await create({ ...keyBody, scopes: [scope] })
      expectProblem(refused, 'invalid_input')
      for (const bundle of ['admin:read', 'admin:write']) expect(refused.body.detail, scope).toContain(bundle)
    }
  })

  test('of a bound says the bound in words', async () => {
    const refused = await invoke('org-settings/update', {
      token: org.adminKey,
      body: { session_duration_hours: 721, audit_retention_days: 1, hipaa_mode: 'yes', ip_allowlist: {} },
    })
    const told = Object.fromEntries(
      refused.body.errors.map(({ path, message }: { path: string; message: string }) => [path, message]),
    )
    expect(told).toEqual({
      session_duration_hours: 'must be at most 720',
      audit_retention_days: 'must be at least 30',
      hipaa_mode: 'must be true or false, not text',
      ip_allowlist: 'must be a list, not an object',
    })
    const list = await invoke('org-auth/update', { token: org.adminKey, body: [] as unknown as object })
    expect(list.body.detail).toBe('must be an object, not a list')
  })
})

describe('an unknown path', () => {
  const get = (path: string) => invokeEvent(catchAll.name, eventFor(catchAll.operation, { method: 'GET', path }))

  test.each([
    ['/apikeys', '/api/v2/settings/api-keys'],
    ['/api/v2/settings/apikeys', '/api/v2/settings/api-keys'],
    ['/api/v2/settings/api-keys/', '/api/v2/settings/api-keys'],
    ['/v1/settings/api-keys', '/api/v2/settings/api-keys'],
    ['/api/v2/settings/apikeys/key_01jd3v7k3q9x5m2n8r4t6w0y1z/rotate', '/api/v2/settings/api-keys/{key_id}/rotate'],
    ['/api/v2/settings/usage_limits', '/api/v2/settings/usage-limits'],
    ['/healthz', '/api/v1/health'],
    ['/api/v1/setings', '/api/v1/settings'],
  ])('%s gets the path of the API that is nearest to it', async (path, meant) => {
    const answer = await get(path)
    expectProblem(answer, 'not_found')
    expect(answer.body.detail).toContain(`did you mean ${meant}?`)
  })

  test.each(['/', '/nowhere-near', '/api/v1', `/${'a'.repeat(4000)}`, '/wp-login.php', '/a/b/c/d/e'])(
    '%s gets a pointer to the list of all paths',
    async (path) => {
      const answer = await get(path)
      expectProblem(answer, 'not_found')
      expect(answer.body.detail).toContain('/api/v1/docs')
    },
  )
})
