/** The service as its users meet it: over HTTP, locally and through a deployed API Gateway alike. */
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SettingsClient, verifyAuditExport } from '../../client/src/index.ts'
import { operationList } from '../../functions/operations.ts'
import { problemOf } from '../support/problems.ts'
import {
  answersWith,
  busyClient,
  clientOf,
  type HttpResponse,
  http,
  notYetSucceeded,
  openTarget,
  orgsOf,
  suites,
  type Target,
  through,
} from './target.ts'

const apiKeys = '/api/v2/settings/api-keys'
const auditEvents = '/api/v2/settings/audit-events'
let target: Target
/** A client with a key of the first org that has all scopes. */
let admin: SettingsClient

beforeAll(async () => {
  target = await openTarget()
  const scopes = ['admin:write', 'telemetry:write', 'keys:introspect', ...appScopes, ...publishableScopes] as const
  admin = await busyClient(target, orgsOf(target).acme, [...scopes])
})

const appScopes = ['catalog:read', 'models:read', 'cloud:inference', 'control:refresh'] as const
const publishableScopes = ['devices:register', 'devices:heartbeat'] as const

const key = (key_id: string) => ({ params: { path: { key_id } } })
const createKey = (name: string, by = admin) => by.POST(apiKeys, { body: { name, scopes: ['keys:read'] } })
const verdict = async () => (await admin.GET(`${auditEvents}/verify`)).data

describe('the life of a key', () => {
  test('a key is created, shown once, listed, used, rotated, refused, revoked, all in a chain that verifies', async () => {
    const created = await admin.POST(apiKeys, { body: { name: 'life', scopes: ['keys:read', 'audit:read'] } })
    const { id, api_key = '' } = created.data
    expect([created.status, created.headers.get('location')]).toEqual([201, `${apiKeys}/${id}`])
    const own = clientOf(target, api_key)

    const fetched = await admin.GET(`${apiKeys}/{key_id}`, key(id))
    expect(fetched).toMatchObject({ status: 200, etag: created.etag })
    const listed = await own.GET(apiKeys, { params: { query: { state: 'active', limit: 100 } } })
    expect(listed.data.data.map((record) => record.id)).toContain(id)
    expect(answersWith(api_key)).toHaveLength(1)

    const rotated = await admin.POST(`${apiKeys}/{key_id}/rotate`, key(id))
    expect(rotated.status).toBe(201)
    await problemOf(own.GET(apiKeys), 'invalid_api_key')

    const revoke = { ...key(rotated.data.id), body: { reason: 'done' } }
    const revoked = await admin.POST(`${apiKeys}/{key_id}/revoke`, revoke)
    expect(revoked.data).toMatchObject({ state: 'revoked', revoked_reason: 'done' })
    await problemOf(clientOf(target, rotated.data.api_key).GET(apiKeys), 'invalid_api_key')

    const ours: string[][] = []
    // Other files of the suite write to this org meanwhile.
    for await (const { action, resource } of admin.entries(auditEvents, { params: { query: { limit: 100 } } })) {
      if (resource.id === id || resource.id === rotated.data.id) ours.push([action, resource.id])
    }
    expect(ours).toEqual([
      ['api_key.revoked', rotated.data.id],
      ['api_key.rotated', id],
      ['api_key.created', id],
    ])
    expect(await verdict()).toMatchObject({ valid: true, first_invalid: null })
  })

  test('app and publishable keys are issued and authenticate', async () => {
    const app = await admin.POST('/api/v2/settings/app-keys', {
      body: { name: 'app', app_id: 'app-1', environment: 'test' },
    })
    expect(app.data.api_key).toMatch(/^oct_app_test_/)
    const publishable = await admin.POST('/api/v2/settings/publishable-keys', { body: { name: 'sdk' } })
    expect(publishable.data.api_key).toMatch(/^oct_pub_live_/)
    for (const { api_key = '' } of [app.data, publishable.data]) {
      const registry = await http('GET', `${apiKeys}/scopes`, { headers: { 'x-api-key': api_key } })
      expect(registry.status).toBe(200)
      expect(registry.headers.ratelimit).toBeDefined()
    }
  })

  test('a create that is repeated with its Idempotency-Key is replayed without the secret', async () => {
    const once = { params: { header: { 'Idempotency-Key': 'suite-1' } } }
    const create = () => admin.POST(apiKeys, { ...once, body: { name: 'once', scopes: ['keys:read'] } })
    const first = await create()
    const { api_key = '', ...record } = first.data
    const again = await create()
    expect(again).toMatchObject({ status: 201, replayed: true, etag: first.etag })
    expect(JSON.stringify(again.data)).toBe(JSON.stringify(record))
    expect([first.status, first.replayed, answersWith(api_key).length]).toEqual([201, false, 1])
  })

  test('twenty concurrent creates all succeed and the chain still verifies', async () => {
    const created = await Promise.all(Array.from({ length: 20 }, (_, index) => createKey(`at once ${index}`)))
    expect(created.map(({ status }) => status)).toEqual(Array(20).fill(201))
    expect((await verdict()).valid).toBe(true)
  })
})

describe('who am I', () => {
  test('describes the credential, and an edit of its key at once', async () => {
    const { data: created } = await admin.POST(apiKeys, { body: { name: 'edited', scopes: ['keys:read'] } })
    const own = clientOf(target, created.api_key)
    const before = (await own.GET('/api/v2/settings/whoami')).data
    expect(before).toMatchObject({ principal: { type: 'api_key', id: created.id }, scopes: ['keys:read'] })
    await admin.PATCH(`${apiKeys}/{key_id}`, { ...key(created.id), body: { scopes: ['audit:read'] } })
    expect((await own.GET('/api/v2/settings/whoami')).data.scopes).toEqual(['audit:read'])
  })
})

describe('introspection', () => {
  const introspection_endpoint = () => `${target.url}${apiKeys}/introspect`
  /** As a stock OAuth client asks, whatever its way to authenticate. */
  const ask = async (authenticate: oauth.ClientAuth, token: string) => {
    const server = { issuer: 'https://octomil.example', introspection_endpoint: introspection_endpoint() }
    const client = { client_id: 'a gateway' }
    const fetchIt = through(target)
    const response = await oauth.introspectionRequest(server, client, authenticate, token, {
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: (url, { method, headers, body }) =>
        fetchIt(new Request(url, { method, headers, body: body.toString() })),
    })
    return oauth.processIntrospectionResponse(server, client, response)
  }
  const bearer =
    (credential: string): oauth.ClientAuth =>
    (_server, _client, _body, headers) =>
      headers.set('authorization', `Bearer ${credential}`)

  test('answers a stock OAuth client, by Basic and by Bearer, and shows a revocation at once', async () => {
    const { data: asking } = await admin.POST(apiKeys, { body: { name: 'asking', scopes: ['keys:introspect'] } })
    const { data: created } = await createKey('presented')
    for (const credential of [asking.api_key ?? '', target.serviceKey]) {
      for (const authenticate of [oauth.ClientSecretBasic(credential), bearer(credential)])
        expect(await ask(authenticate, created.api_key ?? '')).toMatchObject({
          active: true,
          client_id: created.id,
          scope: 'keys:read',
          token_type: 'Bearer',
          permitted: true,
        })
    }
    await admin.POST(`${apiKeys}/{key_id}/revoke`, key(created.id))
    expect(await ask(bearer(target.serviceKey), created.api_key ?? '')).toEqual({ active: false, reason: 'revoked' })
    await expect(ask(oauth.ClientSecretBasic('wrong'), 'x')).rejects.toThrow()
  })

  test('serves every organization with a service key, and one with the keys of that one', async () => {
    const service = clientOf(target, target.serviceKey)
    const { acme, globex } = orgsOf(target)
    const { data: ours } = await createKey('ours')
    const introspect = (query: { org_id?: string }) =>
      service.POST(`${apiKeys}/introspect`, {
        params: { query },
        body: { token: ours.api_key ?? '', include: ['policies', 'usage'] },
      })
    expect((await introspect({})).data).toMatchObject({ org_id: acme.org_id, policies: {}, usage: {} })
    expect((await introspect({ org_id: globex.org_id })).data).toEqual({ active: false, reason: 'unknown' })
    await problemOf(service.GET(apiKeys), 'forbidden')
  })
})

describe('signing in', () => {
  test('roles decide: an owner creates, a member only reads, and the denied attempt is recorded', async () => {
    const { tokens } = orgsOf(target).acme
    const member = clientOf(target, tokens.member)
    const { data: created, status } = await createKey('by owner', clientOf(target, tokens.owner))
    expect(status).toBe(201)
    expect(created.created_by).toEqual({ type: 'user', id: 'local-owner', email: 'owner@example.com' })
    const denied = await problemOf(member.POST(`${apiKeys}/{key_id}/revoke`, key(created.id)), 'forbidden')
    expect(denied.message).toContain('keys:write')
    const events = await admin.GET(auditEvents, { params: { query: { resource_id: created.id } } })
    const attempt = { action: 'api_key.revoked', result: 'denied', actor: { id: 'local-member' } }
    expect(events.data.data[0]).toMatchObject(attempt)
    expect((await member.GET(`${apiKeys}/{key_id}`, key(created.id))).data.state).toBe('active')
  })
})

describe('tenants', () => {
  test('a key of another org is not found, and its org_id is refused', async () => {
    const { acme, globex } = orgsOf(target)
    const ours = key((await createKey('ours')).data.id)
    const theirs = clientOf(target, globex.api_keys.full_admin)
    await problemOf(theirs.GET(`${apiKeys}/{key_id}`, ours), 'not_found')
    await problemOf(theirs.POST(`${apiKeys}/{key_id}/revoke`, ours), 'not_found')
    const listOf = ({ org_id }: { org_id: string }) => theirs.GET(apiKeys, { params: { query: { org_id } } })
    await problemOf(listOf(acme), 'forbidden')
    expect((await listOf(globex)).status).toBe(200)
  })
})

describe('the public operations', () => {
  test('health, the OpenAPI document, and the reference page', async () => {
    const health = (await clientOf(target).GET('/api/v1/health')).data
    expect(health).toMatchObject({ status: 'ok', commit: expect.stringMatching(/^([0-9a-f]{12}(-dirty)?|unknown)$/) })
    const openapi = await http<{ openapi: string; paths: object }>('GET', '/api/v2/openapi.json')
    expect(openapi.body.openapi).toMatch(/^3\.1/)
    expect(Object.keys(openapi.body.paths)).toHaveLength(new Set(operationList.map(([, { path }]) => path)).size)
    const page = await http('GET', '/api/v1/docs')
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    const [, script = ''] = /<script src="([^"]+)"/.exec(page.text) ?? []
    const source = script.startsWith('/') ? "'self'" : script
    expect(page.headers['content-security-policy']).toContain(`script-src ${source};`)
    expect(page.text.length).toBeLessThan(2000)
  })

  test('HEAD is answered wherever GET is, with its headers and without a body', async () => {
    const token = orgsOf(target).acme.api_keys.read_only
    // The emulator of the deploy test answers 401 to a HEAD with a credential; that is proved locally only.
    const withCredential = target.deployed ? [] : [`${apiKeys}?limit=1`, `${apiKeys}/scopes`]
    for (const path of ['/api/v1/health', '/api/v2/openapi.json', ...withCredential]) {
      const [get, head] = [await http('GET', path, { token }), await http('HEAD', path, { token })]
      expect([head.status, head.text], path).toEqual([200, ''])
      const names = ['content-type', 'etag', 'cache-control', 'ratelimit-policy']
      expect(names.map((name) => head.headers[name])).toEqual(names.map((name) => get.headers[name]))
    }
    expect((await http('HEAD', apiKeys)).status).toBe(401)
    expect((await http('HEAD', '/api/v1/nowhere')).status).toBe(404)
  })

  test('an unknown path is a problem, and the answer to a wrong method lists the allowed ones', async () => {
    const unknown = await http('GET', '/api/v1/nowhere')
    expect([unknown.status, unknown.body.code]).toEqual([404, 'not_found'])
    const wrong = await http('DELETE', apiKeys)
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'GET, HEAD, POST'])
  })

  test('bad input names the field', async () => {
    const token = orgsOf(target).acme.api_keys.full_admin
    const { status, body } = await http('POST', apiKeys, { token, body: { nmae: 'x', scopes: [] } })
    expect(status).toBe(400)
    expect(body.errors.map((fault: { path: string }) => fault.path).sort()).toEqual(['name', 'nmae', 'scopes'])
  })
})

describe('the audit trail', () => {
  test('is sealed and signed behind the writes, and its export verifies offline with the public keys alone', async () => {
    await expect
      .poll(async () => (await admin.GET(`${auditEvents}/verify`, {})).data.unsealed.count, { timeout: 20_000 })
      .toBe(0)
    await expect
      .poll(async () => (await admin.GET(`${auditEvents}/checkpoints`, {})).data.data.length, { timeout: 20_000 })
      .toBeGreaterThan(0)
    const keys = (await http<AuditKeys>('GET', '/api/v1/audit-key')).body
    const pages = await exportPages(`${auditEvents}/export`)
    const verdict = await verifyAuditExport(pages, keys)
    expect(verdict.faults).toEqual([])
    expect(verdict.signed_through).toBeGreaterThan(0)
  }, 60_000)

  test('is exported as CSV, with a heading', async () => {
    const [page = ''] = await exportPages(`${auditEvents}/export?format=csv`)
    expect(page.split('\r\n')[0]).toMatch(/^id,timestamp,action,/)
  })
})

type AuditKeys = Parameters<typeof verifyAuditExport>[1]

/** The pages of an export, by its `Link` headers. */
async function exportPages(path: string): Promise<string[]> {
  const token = orgsOf(target).acme.api_keys.full_admin
  const pages: string[] = []
  for (let next: string | undefined = path; next; ) {
    const page: HttpResponse = await http('GET', next, { token })
    expect(page.status).toBe(200)
    pages.push(page.text)
    next = /^<([^>]+)>/.exec(page.headers.link ?? '')?.[1]
  }
  return pages
}

afterAll(() => {
  expect(
    notYetSucceeded(suites.service),
    'operations without a successful request: add one to test/http/service.test.ts',
  ).toEqual([])
})

test('the files of this suite exercise every resource between them', () => {
  const folders = new Set(operationList.map(([name]) => name.split('/')[0]))
  expect(Object.values(suites).flat().sort()).toEqual([...folders].sort())
})
