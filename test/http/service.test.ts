/** The service as its users meet it: over HTTP, locally and through a deployed API Gateway alike. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operationList } from '../../functions/operations.ts'
import { http, notYetSucceeded, openTarget, suites, type Target } from './target.ts'

const settings = '/api/v1/settings'
let target: Target
/** A key of the first org that holds all scopes and may be called often. */
let admin: string

beforeAll(async () => {
  target = await openTarget()
  const { body, status } = await http('POST', `${settings}/api-keys`, {
    token: acme().api_keys.full_admin,
    body: {
      name: 'suite',
      scopes: ['admin:write', 'telemetry:write', ...appScopes, ...publishableScopes],
      rate_limit_per_minute: 100_000,
    },
  })
  expect(status).toBe(201)
  admin = body.api_key
})

const appScopes = ['catalog:read', 'models:read', 'cloud:inference', 'control:refresh']
const publishableScopes = ['devices:register', 'devices:heartbeat']

function acme() {
  const [first] = target.orgs
  if (!first) throw new Error('the target has no org')
  return first
}
function globex() {
  const [, second] = target.orgs
  if (!second) throw new Error('the target has no second org')
  return second
}

describe('the life of a key', () => {
  test('created, seen once, listed, used, rotated, refused, revoked, and all of it in a chain that verifies', async () => {
    const created = await http('POST', `${settings}/api-keys`, {
      token: admin,
      body: { name: 'life', scopes: ['keys:read', 'audit:read'] },
    })
    expect(created.status).toBe(201)
    const { id, api_key } = created.body
    expect(created.headers.location).toBe(`${settings}/api-keys/${id}`)

    const fetched = await http('GET', created.headers.location ?? '', { token: admin })
    expect(fetched.status).toBe(200)
    expect(fetched.headers.etag).toBe(created.headers.etag)
    expect(fetched.text).not.toContain(api_key)
    const listed = await http('GET', `${settings}/api-keys?state=active&limit=100`, { token: api_key })
    expect(listed.body.data.map((key: { id: string }) => key.id)).toContain(id)
    expect(listed.text).not.toContain(api_key)

    const rotated = await http('POST', `${settings}/api-keys/${id}/rotate`, { token: admin })
    expect(rotated.status).toBe(201)
    const refused = await http('GET', `${settings}/api-keys`, { token: api_key })
    expect(refused.status).toBe(401)
    expect(refused.headers['content-type']).toBe('application/problem+json')
    expect(refused.body.code).toBe('invalid_api_key')

    const revoked = await http('POST', `${settings}/api-keys/${rotated.body.id}/revoke`, {
      token: admin,
      body: { reason: 'done' },
    })
    expect(revoked.body).toMatchObject({ state: 'revoked', revoked_reason: 'done' })
    expect((await http('GET', `${settings}/api-keys`, { token: rotated.body.api_key })).status).toBe(401)

    // Other files of the suite write to this org meanwhile.
    const told = await http('GET', `${settings}/audit-events?limit=100`, { token: admin })
    const ours = told.body.data.filter((event: { resource: { id: string } }) =>
      [id, rotated.body.id].includes(event.resource.id),
    )
    expect(
      ours.map((event: { action: string; resource: { id: string } }) => [event.action, event.resource.id]),
    ).toEqual([
      ['api_key.revoked', rotated.body.id],
      ['api_key.rotated', id],
      ['api_key.created', id],
    ])
    expect((await http('GET', `${settings}/audit-events/verify`, { token: admin })).body).toMatchObject({
      valid: true,
      from_seq: 1,
    })
  })

  test('app and publishable keys are issued and authenticate', async () => {
    const app = await http('POST', `${settings}/app-keys`, {
      token: admin,
      body: { name: 'app', app_id: 'app-1', environment: 'test' },
    })
    expect(app.body.api_key).toMatch(/^oct_app_test_/)
    const publishable = await http('POST', `${settings}/publishable-keys`, { token: admin, body: { name: 'sdk' } })
    expect(publishable.body.api_key).toMatch(/^oct_pub_live_/)
    for (const { body } of [app, publishable]) {
      const registry = await http('GET', `${settings}/api-keys/scopes`, { headers: { 'x-api-key': body.api_key } })
      expect(registry.status).toBe(200)
      expect(registry.headers.ratelimit).toBeDefined()
    }
  })

  test('a create that is repeated with its Idempotency-Key is replayed without the secret', async () => {
    const create = () =>
      http('POST', `${settings}/api-keys`, {
        token: admin,
        body: { name: 'once', scopes: ['keys:read'] },
        headers: { 'idempotency-key': 'suite-1' },
      })
    const first = await create()
    const again = await create()
    expect([first.status, again.status]).toEqual([201, 201])
    expect(again.headers['idempotency-replayed']).toBe('true')
    expect(again.body.id).toBe(first.body.id)
    const { api_key: _once, ...record } = first.body
    expect(again.text).toBe(JSON.stringify(record))
    expect(again.headers.etag).toBe(first.headers.etag)
  })

  test('twenty creates at once all land and the chain still verifies', async () => {
    const create = (index: number) =>
      http('POST', `${settings}/api-keys`, { token: admin, body: { name: `at once ${index}`, scopes: ['keys:read'] } })
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => create(index)))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201))
    expect((await http('GET', `${settings}/audit-events/verify`, { token: admin })).body.valid).toBe(true)
  })
})

describe('signing in', () => {
  test('roles decide: an owner creates, a member only reads, and the denied attempt is recorded', async () => {
    const { owner, member } = acme().tokens
    const created = await http('POST', `${settings}/api-keys`, {
      token: owner,
      body: { name: 'by owner', scopes: ['keys:read'] },
    })
    expect(created.status).toBe(201)
    expect(created.body.created_by).toEqual({ type: 'user', id: 'local-owner', email: 'owner@example.com' })
    const denied = await http('POST', `${settings}/api-keys/${created.body.id}/revoke`, { token: member })
    expect(denied.status).toBe(403)
    expect(denied.body.detail).toContain('keys:write')
    const events = await http('GET', `${settings}/audit-events?resource_id=${created.body.id}`, { token: admin })
    expect(events.body.data[0]).toMatchObject({
      action: 'api_key.revoked',
      result: 'denied',
      actor: { id: 'local-member' },
    })
    expect((await http('GET', `${settings}/api-keys/${created.body.id}`, { token: member })).body.state).toBe('active')
  })
})

describe('tenants', () => {
  test('a key of another org is not found, and its org_id is refused', async () => {
    const mine = await http('POST', `${settings}/api-keys`, {
      token: admin,
      body: { name: 'mine', scopes: ['keys:read'] },
    })
    const { full_admin } = globex().api_keys
    expect((await http('GET', `${settings}/api-keys/${mine.body.id}`, { token: full_admin })).status).toBe(404)
    expect((await http('POST', `${settings}/api-keys/${mine.body.id}/revoke`, { token: full_admin })).status).toBe(404)
    expect((await http('GET', `${settings}/api-keys?org_id=${acme().org_id}`, { token: full_admin })).status).toBe(403)
    expect((await http('GET', `${settings}/api-keys?org_id=${globex().org_id}`, { token: full_admin })).status).toBe(
      200,
    )
  })
})

describe('what anybody may see', () => {
  test('health, the OpenAPI document, and a reference page with its script', async () => {
    expect((await http('GET', '/api/v1/health')).body).toMatchObject({ status: 'ok' })
    const openapi = await http('GET', '/api/v1/openapi.json')
    expect(openapi.body.openapi).toMatch(/^3\.1/)
    expect(Object.keys(openapi.body.paths)).toHaveLength(new Set(operationList.map(([, { path }]) => path)).size)
    const page = await http('GET', '/api/v1/docs')
    expect(page.headers['content-type']).toContain('text/html')
    const script = await http('GET', '/api/v1/docs?asset=reference.js', { headers: { 'accept-encoding': 'gzip' } })
    expect(script.status).toBe(200)
    expect(script.headers['content-encoding']).toBe('gzip')
  })

  test('an unknown path is a problem, and a wrong method is told the right ones', async () => {
    const unknown = await http('GET', '/api/v1/nowhere')
    expect([unknown.status, unknown.body.code]).toEqual([404, 'not_found'])
    const wrong = await http('DELETE', `${settings}/api-keys`)
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'GET, POST'])
  })

  test('bad input names the field', async () => {
    const { status, body } = await http('POST', `${settings}/api-keys`, {
      token: admin,
      body: { nmae: 'x', scopes: [] },
    })
    expect(status).toBe(400)
    expect(body.errors.map((fault: { path: string }) => fault.path).sort()).toEqual(['name', 'nmae', 'scopes'])
  })
})

afterAll(() => {
  expect(notYetSucceeded(suites.service), 'operations that this suite never saw succeed').toEqual([])
})

test('the files of this suite exercise every resource between them', () => {
  const folders = new Set(operationList.map(([name]) => name.split('/')[0]))
  expect(Object.values(suites).flat().sort()).toEqual([...folders].sort())
})
