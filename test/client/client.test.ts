/** The published client against the service: what succeeds, what it throws, and its iterators. */
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { createSettingsClient, type SettingsClient } from '../../client/src/index.ts'
import rootPackage from '../../package.json' with { type: 'json' }
import { openTarget, orgsOf, type Target } from '../http/target.ts'
import { problemOf } from '../support/problems.ts'

const apiKeys = '/api/v2/settings/api-keys'
let target: Target
let admin: string
let settings: SettingsClient

beforeAll(async () => {
  target = await openTarget()
  admin = orgsOf(target).acme.api_keys.full_admin
  settings = createSettingsClient({ baseUrl: target.url, credential: admin })
})

describe('calls', () => {
  test('a key is created, read by its id, used, and revoked', async () => {
    const created = await settings.POST(apiKeys, { body: { name: 'client', scopes: ['keys:read'] } })
    expect(created).toMatchObject({ status: 201, replayed: false, data: { name: 'client', state: 'active' } })
    const path = { key_id: created.data.id }
    const read = await settings.GET(`${apiKeys}/{key_id}`, { params: { path } })
    expect([read.etag, read.data.id]).toEqual([created.etag, created.data.id])
    const own = createSettingsClient({ baseUrl: target.url, credential: created.data.api_key })
    expect((await own.GET(apiKeys)).status).toBe(200)
    const revoked = await settings.POST(`${apiKeys}/{key_id}/revoke`, { params: { path }, body: { reason: 'done' } })
    expect(revoked.data.revoked_reason).toBe('done')
    await problemOf(own.GET(apiKeys), 'invalid_api_key')
  })

  test('an answer without a body has no data', async () => {
    const { data } = await settings.POST('/api/v2/settings/integrations', { body: { type: 'slack', name: 'gone' } })
    const params = { path: { integration_id: data.id } }
    const deleted = await settings.DELETE('/api/v2/settings/integrations/{integration_id}', { params })
    expect([deleted.status, deleted.data]).toEqual([204, undefined])
  })

  test('a change is guarded by the ETag of the answer before', async () => {
    const { etag } = await settings.GET('/api/v2/settings/policies')
    const guarded = (privacy_mode: 'strict' | 'standard') =>
      settings.PATCH('/api/v2/settings/policies', {
        params: { header: { 'If-Match': etag } },
        body: { privacy_mode },
      })
    expect((await guarded('strict')).data.privacy_mode).toBe('strict')
    await problemOf(guarded('standard'), 'precondition_failed')
  })

  test('a header without a value is refused, so that no change goes unguarded', async () => {
    // What a caller without a compiler may write.
    const header = { 'If-Match': undefined } as unknown as { 'If-Match': string }
    const change = settings.PATCH('/api/v2/settings/policies', { params: { header }, body: { privacy_mode: 'strict' } })
    await expect(change).rejects.toThrow('If-Match is undefined')
  })

  test('public operations need no credential', async () => {
    const nobody = createSettingsClient({ baseUrl: target.url })
    expect((await nobody.GET('/api/v1/health')).data.status).toBe('ok')
    await problemOf(nobody.GET(apiKeys), 'authentication_failed')
  })

  test('a credential that is asked for is asked anew for each call', async () => {
    const given = [admin, 'no-key']
    const renewing = createSettingsClient({ baseUrl: target.url, credential: async () => given.shift() ?? '' })
    expect((await renewing.GET(apiKeys)).status).toBe(200)
    await problemOf(renewing.GET(apiKeys), 'authentication_failed')
  })

  test('a credential that no header can carry is refused without repeating it', async () => {
    const broken = createSettingsClient({ baseUrl: target.url, credential: `${admin}\nsecond line` })
    const message = await broken.GET(apiKeys).catch(String)
    expect(message).toContain('line break')
    expect(message).not.toContain(admin)
  })
})

describe('problems', () => {
  test('a problem has its code, its request id, and each fault of the input', async () => {
    const problem = await problemOf(
      settings.POST(apiKeys, { body: { name: 'x'.repeat(101), scopes: [] } }),
      'invalid_input',
    )
    expect(problem).toMatchObject({ retryable: false, attempts: 1 })
    expect(problem.requestId).toMatch(/^[0-9A-Z]{26}$/)
    expect(problem.errors.map(({ path }) => path).sort()).toEqual(['name', 'scopes'])
    expect(problem.message).toContain('name')
  })

  test('a limit that is reached says when to come back, which may be too late to wait for', async () => {
    const { data } = await settings.POST(apiKeys, {
      body: { name: 'slow', scopes: ['keys:read'], rate_limit_per_minute: 1 },
    })
    const slow = createSettingsClient({
      baseUrl: target.url,
      credential: data.api_key,
      retries: { maxRetryAfterMs: 0 },
    })
    // At the seam of two minutes the second may still be within its limit; the third is not.
    const threeTimes = async () => [await slow.GET(apiKeys), await slow.GET(apiKeys), await slow.GET(apiKeys)]
    const problem = await problemOf(threeTimes(), 'rate_limited')
    expect(problem).toMatchObject({ retryable: true, attempts: 1 })
    expect(problem.retryAfterMs).toBeGreaterThan(0)
  })
})

describe('cursors', () => {
  test('entries runs over all pages, from a given cursor on', async () => {
    const body = (index: number) => ({ name: `entry ${index}`, app_id: 'app-of-cursors' })
    for (let index = 0; index < 5; index++) await settings.POST('/api/v2/settings/app-keys', { body: body(index) })
    const query = { key_type: 'app', limit: 2 } as const
    const names: string[] = []
    for await (const { name } of settings.entries(apiKeys, { params: { query } })) names.push(name)
    expect(names).toEqual(['entry 4', 'entry 3', 'entry 2', 'entry 1', 'entry 0'])

    const first = await settings.GET(apiKeys, { params: { query } })
    const rest: string[] = []
    const later = { ...query, cursor: first.data.next_cursor ?? '' }
    for await (const { name } of settings.entries(apiKeys, { params: { query: later } })) rest.push(name)
    expect(rest).toEqual(names.slice(2))
  })

  test('pages runs over answers that are no lists, such as the verification of a chain', async () => {
    let events = 0
    const params = { query: { limit: 2 } }
    for await (const page of settings.pages('/api/v2/settings/audit-events/verify', { params })) {
      expect(page.valid).toBe(true)
      events += page.events_checked
    }
    expect(events).toBeGreaterThan(5)
  })

  test('pages are asked for only as they are used', async () => {
    let requests = 0
    const counting = createSettingsClient({
      baseUrl: target.url,
      credential: admin,
      fetch: (request) => {
        requests++
        return fetch(request)
      },
    })
    for await (const _key of counting.entries(apiKeys, { params: { query: { limit: 1 } } })) break
    expect(requests).toBe(1)
  })

  test('a service that names the same cursor again and again is not followed', async () => {
    const page = '{"data":[],"next_cursor":"again"}'
    const endless = createSettingsClient({
      baseUrl: target.url,
      fetch: async () => new Response(page, { headers: { 'content-type': 'application/json' } }),
    })
    const read = async () => {
      for await (const _key of endless.entries(apiKeys)) throw new Error('there are no entries')
    }
    await expect(read()).rejects.toThrow('returns its cursor')
  })
})

test('the client is published under the version of the API', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../client/package.json', import.meta.url), 'utf8'))
  expect(version).toBe(rootPackage.version)
})
