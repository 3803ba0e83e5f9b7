/** The fields of audit events, and their lists. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { rowsOf } from '../../support/rows.ts'
import { listAll as listAllOf, type ServedEvent } from '../../support/trail-rows.ts'

let org: TestOrg
beforeEach(async () => {
  org = await makeBusyOrg()
})
afterEach(() => {
  vi.useRealTimers()
})

const list = (query: Record<string, string> = {}, token = org.adminKey) => invoke('audit-events/list', { token, query })

const listAll = (query: Record<string, string> = {}) => listAllOf(org, query)

const eventRows = () => rowsOf(org.orgId, 'EVENT#')

describe('an event', () => {
  test('has actor, action, resource, time, address and request id, and no unknown field', async () => {
    const owner = await tokenFor(org.orgId, 'owner')
    const response = await invoke('api-keys/create', {
      token: owner,
      body: { name: 'x', scopes: ['keys:read'] },
      ip: '203.0.113.7',
    })
    const { body } = await list({ limit: '1' })
    const [event] = body.data
    expect(Object.keys(event)).toEqual([
      ...['id', 'timestamp', 'action', 'actor', 'resource', 'result', 'changes'],
      ...['request_id', 'ip', 'user_agent', 'hash', 'sealed'],
    ])
    expect(event).toMatchObject({
      id: expect.stringMatching(/^aud_[0-7][0-9a-hjkmnp-tv-z]{25}$/),
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      actor: { type: 'user', id: 'user-owner', email: 'owner@example.com' },
      resource: { type: 'api_key', id: response.body.id, name: 'x' },
      request_id: response.headers['x-request-id'],
      ip: '203.0.113.7',
      user_agent: 'vitest',
      sealed: null,
    })
    const [made] = (await listAll({ action: 'organization.created' })) as object[]
    expect(made).not.toHaveProperty('ip')
    expect(made).toMatchObject({ actor: { type: 'system' }, resource: { type: 'organization', id: org.orgId } })
  })
})

describe('listing events', () => {
  test('newest first, page by page, each once', async () => {
    for (let count = 0; count < 6; count++) await makeKey(org, { name: `key ${count}` })
    const ids = (await eventRows()).map(({ id }) => id).reverse()
    for (const limit of ['1', '4', '10', '100']) {
      expect((await listAll({ limit })).map(({ id }) => id)).toEqual(ids)
    }
    const { body } = await list({ limit: String(ids.length) })
    expect(body.next_cursor).toBeNull()
  })

  test('those of an action, of an actor, on a resource, and of all three', async () => {
    const { id, api_key } = await makeKey(org, { scopes: ['keys:write', 'keys:read'] })
    const made = await invoke('api-keys/create', { token: api_key, body: { name: 'x', scopes: ['keys:read'] } })
    await invoke('api-keys/revoke', { token: api_key, params: { key_id: made.body.id } })
    await invoke('api-keys/rotate', { token: org.adminKey, params: { key_id: id } })
    const all = await listAll()
    const byHand = {
      action: all.filter(({ action }) => action === 'api_key.created'),
      actor_id: all.filter(({ actor }) => actor.id === id),
      resource_id: all.filter(({ resource }) => resource.id === made.body.id),
    }
    const query = { action: 'api_key.created', actor_id: id, resource_id: made.body.id }
    for (const name of ['action', 'actor_id', 'resource_id'] as const) {
      expect(byHand[name].length).toBeGreaterThan(1)
      expect(await listAll({ [name]: query[name] })).toEqual(byHand[name])
    }
    const both = await listAll(query)
    expect(both).toHaveLength(1)
    expect(both[0]).toMatchObject({ action: 'api_key.created', actor: { id }, resource: { id: made.body.id } })
    expect(await listAll({ actor_id: 'unknown' })).toEqual([])
  })

  test('those from an instant on, and those before one', async () => {
    const start = Date.now() + 60_000
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    for (let second = 0; second < 5; second++) {
      vi.setSystemTime(start + second * 1000)
      await makeKey(org, { name: `second ${second}` })
    }
    const instant = (ms: number) => new Date(start + ms).toISOString()
    const seqs = async (query: Record<string, string>) =>
      (await listAll(query)).map(({ timestamp }) => (Date.parse(timestamp) - start) / 1000).reverse()
    expect(await seqs({ from: instant(2000) })).toEqual([2, 3, 4])
    expect(await seqs({ from: instant(2001) })).toEqual([3, 4])
    expect(await seqs({ from: instant(0), to: instant(2000) })).toEqual([0, 1])
    expect(await seqs({ from: instant(0), to: instant(2001) })).toEqual([0, 1, 2])
    expect(await seqs({ from: instant(1000), to: instant(1001), action: 'api_key.created' })).toEqual([1])
    expect(await seqs({ from: instant(10_000) })).toEqual([])
    const offset = instant(2000).replace('Z', '+00:00')
    expect(await seqs({ from: offset })).toEqual([2, 3, 4])
    const { body } = await list({ from: instant(0), to: instant(4000), limit: '2' })
    expect(body.data).toHaveLength(2)
    expectProblem(await list({ from: instant(0), to: instant(3000), cursor: body.next_cursor }), 'invalid_input')
  })

  test('those of the last year that can be named, and of none beyond it', async () => {
    const all = await listAll()
    for (const to of ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59-01:00']) {
      const response = await list({ to, limit: '100' })
      expect([200, 400]).toContain(response.status)
      if (response.status === 200) expect(response.body.data).toHaveLength(all.length)
    }
    for (const from of ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59-01:00']) {
      const response = await list({ from })
      expect([200, 400]).toContain(response.status)
      if (response.status === 200) expect(response.body.data).toEqual([])
    }
  })

  test.each([
    [{ from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }, 'to'],
    [{ from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }, 'to'],
    [{ from: '2026-01-01T01:00:00+01:00', to: '2026-01-01T00:00:00Z' }, 'to'],
    [{ from: 'yesterday' }, 'from'],
    [{ from: '2026-01-01' }, 'from'],
    [{ to: '' }, 'to'],
    [{ action: 'api_key.eaten' }, 'action'],
    [{ action: '' }, 'action'],
    [{ actor_id: '' }, 'actor_id'],
    [{ resource_id: '' }, 'resource_id'],
    [{ resource_id: 'x'.repeat(256) }, 'resource_id'],
    [{ cursor: 'garbage' }, 'cursor'],
    [{ limit: '101' }, 'limit'],
  ])('%j is 400 and named', async (query, field) => {
    const response = await list(query as Record<string, string>)
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual([field])
  })

  test('of its own org alone', async () => {
    const other = await makeBusyOrg()
    const { body } = await list({ limit: '100' }, other.adminKey)
    const mine = new Set((await listAll()).map(({ id }) => id))
    expect(body.data.length).toBeGreaterThan(0)
    expect(body.data.filter(({ id }: ServedEvent) => mine.has(id))).toEqual([])
  })
})
