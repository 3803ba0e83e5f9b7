/** The lifecycle of a connection: tested, patched, listed, deleted, with its audit events. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectWholeChain, trailEnd } from '../../support/governance.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { bareProblem, expectProblem, faultPaths } from '../../support/problems.ts'
import { json, openAiModels, reset, startProvider, type TestProvider } from '../../support/provider.ts'
import { putRows, rowsOf } from '../../support/rows.ts'
import { connectionRow } from '../execution/targets.ts'
import { connectionsOf, type Made, onlyFor } from './connections.ts'

const goodKey = 'sk-life-good-81Kq07Wm'
const otherGoodKey = 'sk-life-other-53Tn29Rb'
const wrongKey = 'sk-life-wrong-64Zx90Hj'

let org: TestOrg
let on: ReturnType<typeof connectionsOf>
let server: TestProvider
let other: TestProvider
beforeAll(async () => {
  org = await makeBusyOrg()
  on = connectionsOf(org)
  server = await startProvider()
  other = await startProvider(onlyFor(goodKey, otherGoodKey))
})
afterAll(() => {
  server.close()
  other.close()
})

const body = (more: object = {}) => ({
  provider: 'openai_compatible',
  name: 'gateway',
  api_key: goodKey,
  base_url: `${server.url}/v1`,
  ...more,
})

/** A connection that is verified. */
async function makeVerified(more: object = {}): Promise<Made> {
  server.answer(onlyFor(goodKey, otherGoodKey))
  const made = await on.make(body(more))
  expect(made.verification_status).toBe('verified')
  server.requests.length = 0
  return made
}

async function expectUntouched(made: Made, run: () => Promise<unknown>): Promise<void> {
  const end = await trailEnd(org)
  const [before] = await rowsOf(org.orgId, `CONN#${made.id}`)
  await run()
  expect(await rowsOf(org.orgId, `CONN#${made.id}`)).toEqual([before])
  expect(await trailEnd(org)).toBe(end)
}

const verificationOf = ({ body: record }: { body: Omit<Made, 'etag'> }) => ({
  verification_status: record.verification_status,
  verification_error: record.verification_error,
  last_attempt_at: record.last_attempt_at,
  last_verified_at: record.last_verified_at,
  verification_latency_ms: record.verification_latency_ms,
})

describe('a test', () => {
  test('that succeeds writes when, how long, and that it did, and clears the error', async () => {
    server.answer(json({}, 500))
    const made = await on.make(body())
    expect(made).toMatchObject({ verification_status: 'provider_error', last_verified_at: null })
    server.answer((_request, response) => {
      setTimeout(() => openAiModels(_request, response), 30)
    })
    const tested = await on.test(made.id)
    expect(tested.status).toBe(200)
    expect(tested.body).toEqual({
      success: true,
      latency_ms: expect.any(Number),
      status_code: 200,
      model_count: 2,
      error: null,
    })
    expect(tested.body.latency_ms).toBeGreaterThanOrEqual(25)
    const after = (await on.get(made.id)).body
    expect(after).toEqual({
      ...after,
      verification_status: 'verified',
      verification_error: null,
      last_verified_at: after.last_attempt_at,
      verification_latency_ms: tested.body.latency_ms,
    })
    expect(after.last_verified_at > made.last_attempt_at).toBe(true)
  })

  test('that nothing answers leaves a verified connection verified: the error and the attempt are kept', async () => {
    const made = await makeVerified()
    server.answer(reset)
    const tested = await on.test(made.id)
    expect([tested.status, tested.body]).toEqual([
      200,
      {
        success: false,
        latency_ms: expect.any(Number),
        status_code: null,
        model_count: null,
        error: expect.stringMatching(/closed the connection/),
      },
    ])
    const after = (await on.get(made.id)).body
    expect(verificationOf({ body: after })).toEqual({
      verification_status: 'verified',
      verification_error: tested.body.error,
      last_attempt_at: after.last_attempt_at,
      last_verified_at: made.last_verified_at,
      verification_latency_ms: made.verification_latency_ms,
    })
    expect(after.last_attempt_at > made.last_attempt_at).toBe(true)
    expect((await on.models(made.id)).body).toMatchObject({ code: 'upstream_error', retryable: true })
  })

  test.each([
    [500, 'provider_error'],
    [401, 'invalid_credential'],
    [403, 'insufficient_permission'],
    [402, 'quota_exhausted'],
    [429, 'rate_limited'],
    [302, 'provider_error'],
  ])('answered %i is a verdict (%s), kept with when it was last verified', async (status, verdict) => {
    const made = await makeVerified()
    server.answer(json({ error: { message: 'the reason' } }, status))
    const tested = await on.test(made.id)
    expect(tested.body).toMatchObject({ success: false, status_code: status, model_count: null })
    expect(tested.body.error).toBe(`The provider answered ${status}: the reason`)
    expect((await on.get(made.id)).body).toMatchObject({
      verification_status: verdict,
      verification_error: tested.body.error,
      last_verified_at: made.last_verified_at,
      verification_latency_ms: made.verification_latency_ms,
    })
  })

  test('counts attempts that fail, until one succeeds or the key is another', async () => {
    const made = await makeVerified()
    const count = async () => (await on.get(made.id)).body.error_count
    server.answer(json({}, 500))
    await on.test(made.id)
    server.answer(reset)
    await on.test(made.id)
    expect(await count()).toBe(2)
    server.answer(json({}, 401))
    await on.patch(made.id, { api_key: wrongKey })
    expect(await count()).toBe(1)
    server.answer(openAiModels)
    await on.test(made.id)
    expect(await count()).toBe(0)
  })

  test('that nothing answers makes one unreachable that was not verified', async () => {
    server.answer(json({}, 401))
    const made = await on.make(body())
    server.answer(reset)
    await on.test(made.id)
    expect((await on.get(made.id)).body).toMatchObject({ verification_status: 'unreachable', last_verified_at: null })
  })

  test('leaves one event, with its findings', async () => {
    const made = await makeVerified()
    server.answer(json({ error: 'no' }, 401))
    await on.test(made.id)
    const [, tested, ...more] = await on.eventsOf(made.id)
    expect(more).toEqual([])
    expect(tested).toMatchObject({
      action: 'cloud_connection.tested',
      result: 'success',
      resource: { type: 'cloud_connection', id: made.id, name: 'gateway' },
    })
    expect(tested?.changes).toEqual(
      expect.arrayContaining([
        { field: 'verification_status', before: 'verified', after: 'invalid_credential' },
        { field: 'verification_error', before: null, after: 'The provider answered 401: no' },
      ]),
    )
    expect(tested?.changes.length).toBe(2)
  })

  test('of one that is switched off is made all the same', async () => {
    const made = await makeVerified({ enabled: false })
    expect(made.enabled).toBe(false)
    expect((await on.test(made.id)).body.success).toBe(true)
  })
})

describe('a patch', () => {
  test('of the name or the switch makes no call, keeps the verification, and leaves an event', async () => {
    const made = await makeVerified()
    const patched = await on.patch(made.id, { name: 'renamed', enabled: false })
    expect(patched.body).toMatchObject({ name: 'renamed', enabled: false, key_version: 1 })
    expect(verificationOf(patched)).toEqual(verificationOf({ body: made }))
    expect(server.requests).toEqual([])
    const [, updated] = await on.eventsOf(made.id)
    expect(updated).toMatchObject({ action: 'cloud_connection.updated', resource: { name: 'renamed' } })
    expect(updated?.changes.sort((a, b) => a.field.localeCompare(b.field))).toEqual([
      { field: 'enabled', before: true, after: false },
      { field: 'name', before: 'gateway', after: 'renamed' },
    ])
  })

  test('with a new key replaces the old verdict, by a new one or by none', async () => {
    const made = await makeVerified()
    const failing = await on.patch(made.id, { api_key: wrongKey })
    expect(failing.body).toMatchObject({
      masked: '…90Hj',
      key_version: 2,
      verification_status: 'invalid_credential',
      last_verified_at: null,
      verification_latency_ms: null,
      last_attempt_at: failing.body.updated_at,
    })
    expect(failing.headers.etag).toBe((await on.get(made.id)).headers.etag)
    server.answer(reset)
    const unreachable = await on.patch(made.id, { api_key: otherGoodKey })
    expect(unreachable.body).toMatchObject({
      key_version: 3,
      verification_status: 'unreachable',
      last_verified_at: null,
    })
    server.answer(onlyFor(otherGoodKey))
    const working = await on.patch(made.id, { api_key: otherGoodKey })
    expect(working.body).toMatchObject({ key_version: 4, verification_status: 'verified', verification_error: null })
    expect(working.body.last_verified_at).toBe(working.body.last_attempt_at)
    expect((await on.models(made.id)).status).toBe(200)
    const versions = (await on.eventsOf(made.id)).flatMap(({ changes }) =>
      changes.filter(({ field }) => field === 'key_version').map(({ after }) => after),
    )
    expect(versions).toEqual([1, 2, 3, 4])
  })

  test('a verified key that is replaced while nothing answers is unreachable, not verified', async () => {
    const made = await makeVerified()
    server.answer(reset)
    expect((await on.patch(made.id, { api_key: otherGoodKey })).body).toMatchObject({
      verification_status: 'unreachable',
      last_verified_at: null,
    })
  })

  test('with a new base URL needs the key, is 400 naming it without, and sends the stored key nowhere', async () => {
    const made = await makeVerified()
    other.requests.length = 0
    const url = `${other.url}/v1`
    await expectUntouched(made, async () => {
      const refused = await on.patch(made.id, { base_url: url, name: 'x' })
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused)).toEqual(['api_key'])
    })
    expect(other.requests).toEqual([])
    const moved = await on.patch(made.id, { base_url: url, api_key: goodKey })
    expect(moved.body).toMatchObject({ base_url: url, key_version: 2, verification_status: 'verified' })
    expect([other.requests.length, server.requests.length]).toEqual([1, 0])
  })

  test('that changes nothing leaves no event, no new time and no new ETag; the URL that is stored is not a new one', async () => {
    const made = await makeVerified()
    await expectUntouched(made, async () => {
      for (const patch of [
        { name: 'gateway' },
        { enabled: true },
        { base_url: made.base_url },
        { base_url: `${made.base_url}/` },
      ]) {
        const { status, text, headers } = await on.patch(made.id, patch)
        expect([status, headers.etag]).toEqual([200, made.etag])
        expect(text).toBe((await on.get(made.id)).text)
      }
    })
    expect(server.requests).toEqual([])
  })

  test.each([
    ['an empty one', {}, ['']],
    ['null for the name', { name: null }, ['name']],
    ['null for the key', { api_key: null }, ['api_key']],
    ['null for the URL', { base_url: null }, ['base_url']],
    ['null for the switch', { enabled: null }, ['enabled']],
    ['another provider', { provider: 'openai', name: 'x' }, ['provider']],
    ['the mask as key', { api_key: '…07Wm' }, ['api_key']],
    ['an empty key', { api_key: '' }, ['api_key']],
    ['a key with a line break', { api_key: 'sk-a\r\nx-evil: 1' }, ['api_key']],
    ['a key with a space', { api_key: 'sk a' }, ['api_key']],
    ['a key that is not ASCII', { api_key: 'sk-ключ' }, ['api_key']],
    ['a key that is too long', { api_key: 'x'.repeat(4097) }, ['api_key']],
    [
      'read-only fields',
      { name: 'x', verification_status: 'verified', key_version: 9 },
      ['key_version', 'verification_status'],
    ],
    ['a URL that is none', { base_url: 'nope', api_key: goodKey }, ['base_url']],
  ])('with %s is 400 naming it, without an outbound call or a change', async (_what, patch, paths) => {
    const made = await makeVerified()
    await expectUntouched(made, async () => {
      const refused = await on.patch(made.id, patch)
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused).sort()).toEqual(paths)
    })
    expect(server.requests).toEqual([])
  })

  test('under another If-Match than the record’s is 412, before any outbound call; under its own it succeeds', async () => {
    const made = await makeVerified()
    await expectUntouched(made, async () => {
      expectProblem(
        await on.patch(made.id, { api_key: wrongKey }, { headers: { 'if-match': '"other"' } }),
        'precondition_failed',
      )
      expectProblem(await on.remove(made.id, { headers: { 'if-match': '"other"' } }), 'precondition_failed')
    })
    expect(server.requests).toEqual([])
    const patched = await on.patch(made.id, { name: 'x' }, { headers: { 'if-match': made.etag } })
    expect(patched.status).toBe(200)
    expectProblem(await on.patch(made.id, { name: 'y' }, { headers: { 'if-match': made.etag } }), 'precondition_failed')
    expect((await on.remove(made.id, { headers: { 'if-match': patched.headers.etag ?? '' } })).status).toBe(204)
  })
})

describe('a base URL', () => {
  test('is required for openai_compatible, and not allowed for other providers', async () => {
    const { base_url: _without, ...rest } = body()
    const missing = await on.create(rest)
    expectProblem(missing, 'invalid_input')
    expect(missing.body.errors).toMatchObject([{ path: 'base_url', code: 'missing_field' }])
    for (const provider of ['openai', 'anthropic', 'google', 'groq', 'minimax']) {
      const refused = await on.create(body({ provider }))
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused)).toEqual(['base_url'])
    }
  })

  test('is not allowed for other providers in a patch either', async () => {
    process.env.PROVIDER_BASE_URLS = `openai=${server.url}/v1`
    server.answer(openAiModels)
    const made = await on.make({ provider: 'openai', name: 'x', api_key: goodKey })
    delete process.env.PROVIDER_BASE_URLS
    await expectUntouched(made, async () => {
      for (const more of [{}, { api_key: goodKey }]) {
        const refused = await on.patch(made.id, { base_url: `${server.url}/v1`, ...more })
        expectProblem(refused, 'invalid_input')
        expect(faultPaths(refused)).toEqual(['base_url'])
      }
    })
  })
})

describe('the fields by which inference chooses', () => {
  const choice = { priority: 7, weight: 0, rpm_limit: 60, tpm_limit: 90_000 }

  test('is stored as created, patched field by field, and audited', async () => {
    const made = await makeVerified(choice)
    expect(made).toMatchObject(choice)
    for (const change of [{ priority: 0 }, { weight: 3 }, { rpm_limit: null }, { tpm_limit: 1 }]) {
      const before = (await on.get(made.id)).body
      const { body: after } = await on.patch(made.id, change)
      expect(after).toEqual({ ...before, ...change, updated_at: after.updated_at })
    }
    const [, ...updates] = await on.eventsOf(made.id)
    expect(updates.flatMap(({ changes }) => changes)).toEqual([
      { field: 'priority', before: 7, after: 0 },
      { field: 'weight', before: 0, after: 3 },
      { field: 'rpm_limit', before: 60, after: null },
      { field: 'tpm_limit', before: 90_000, after: 1 },
    ])
    expect(server.requests).toEqual([])
  })

  test('has defaults in a connection that is older than these fields', async () => {
    const old = connectionRow(org.orgId)
    await putRows([old])
    const defaults = { priority: 100, weight: 1, rpm_limit: null, tpm_limit: null }
    const { body, headers } = await on.get(String(old.id))
    expect(body).toMatchObject({ ...defaults, error_count: 0 })
    expect((await on.patch(String(old.id), defaults)).headers.etag).toBe(headers.etag)
  })

  test.each(Object.keys(choice))('%s out of its bounds is 400', async (field) => {
    for (const value of [-1, 1.5, 2_000_000_000]) {
      const refused = await on.create(body({ [field]: value }))
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused)).toEqual([field])
    }
  })
})

describe('the trail of a connection', () => {
  test('has an event for its creation, with all fields, and one for its deletion', async () => {
    const made = await makeVerified({ name: 'told' })
    expect((await on.remove(made.id)).status).toBe(204)
    expectProblem(await on.remove(made.id), 'not_found')
    const [created, deleted, ...more] = await on.eventsOf(made.id)
    expect(more).toEqual([])
    expect(created?.action).toBe('cloud_connection.created')
    expect(Object.fromEntries((created?.changes ?? []).map(({ field, after }) => [field, after]))).toEqual({
      provider: 'openai_compatible',
      name: 'told',
      base_url: `${server.url}/v1`,
      enabled: true,
      masked: '…07Wm',
      key_version: 1,
      ...{ priority: 100, weight: 1 },
      verification_status: 'verified',
      last_verified_at: made.last_verified_at,
    })
    expect(deleted).toMatchObject({ action: 'cloud_connection.deleted', resource: { id: made.id, name: 'told' } })
    expect(await rowsOf(org.orgId, `CONN#${made.id}`)).toEqual([])
    await expectWholeChain(org)
  })
})

describe('another org', () => {
  test('gets the same answer for a connection as for a missing one, and cannot change it', async () => {
    const made = await makeVerified()
    const stranger = connectionsOf(await makeBusyOrg())
    const unknown = `conn_${made.id.slice(5).replace(/.$/, (last) => (last === '0' ? '1' : '0'))}`
    await expectUntouched(made, async () => {
      for (const ask of [
        (id: string) => stranger.get(id),
        (id: string) => stranger.test(id),
        (id: string) => stranger.models(id),
        (id: string) => stranger.patch(id, { name: 'mine' }),
        (id: string) => stranger.patch(id, { api_key: wrongKey }),
        (id: string) => stranger.patch(id, { api_key: wrongKey, base_url: `${other.url}/v1` }),
        (id: string) => stranger.remove(id),
      ]) {
        const [foreign, nothing] = [await ask(made.id), await ask(unknown)]
        expectProblem(foreign, 'not_found')
        expect(bareProblem(foreign)).toEqual(bareProblem(nothing))
      }
      expect((await stranger.list()).body).toEqual({ data: [], next_cursor: null })
    })
    expect(server.requests).toEqual([])
    expect((await on.get(made.id)).status).toBe(200)
  })
})

describe('the list', () => {
  test('shows the same views as a get, newest first, filtered by provider, in pages', async () => {
    const mine = connectionsOf(await makeBusyOrg())
    process.env.PROVIDER_BASE_URLS = `openai=${server.url}/v1,groq=${server.url}/v1`
    server.answer(openAiModels)
    const made: Made[] = []
    for (const provider of ['openai', 'groq', 'openai', 'groq', 'openai'])
      made.push(await mine.make({ provider, name: randomUUID(), api_key: goodKey }))
    delete process.env.PROVIDER_BASE_URLS
    const newestFirst = made.map(({ etag: _etag, ...record }) => record).reverse()
    const all = await mine.list()
    expect(all.body).toEqual({ data: newestFirst, next_cursor: null })
    expect(all.text).not.toContain(goodKey)
    const groq = newestFirst.filter(({ provider }) => provider === 'groq')
    expect((await mine.list({ provider: 'groq' })).body.data).toEqual(groq)
    expect((await mine.list({ provider: 'mistral' })).body).toEqual({ data: [], next_cursor: null })
    const first = (await mine.list({ provider: 'openai', limit: '2' })).body
    const rest = (await mine.list({ provider: 'openai', limit: '2', cursor: first.next_cursor })).body
    expect([...first.data, ...rest.data]).toEqual(newestFirst.filter(({ provider }) => provider === 'openai'))
    for (const query of [
      { provider: 'nobody' },
      { provider: '' },
      { provider: 'groq', cursor: first.next_cursor },
      { limit: '0' },
      { limit: '101' },
      { state: 'x' },
    ])
      expectProblem(await mine.list(query as unknown as Record<string, string>), 'invalid_input')
  })
})

describe('at most 100', () => {
  test('connections are the limit of an org: one more is 409 without a call to its provider; a delete makes room', async () => {
    const mine = connectionsOf(await makeBusyOrg())
    server.answer(openAiModels)
    const made: Made[] = []
    for (let count = 0; count < 100; count++) made.push(await mine.make(body({ name: `c${count}` })))
    server.requests.length = 0
    const refused = await mine.create(body())
    expectProblem(refused, 'conflict')
    expect(refused.body.detail).toContain('100')
    expect(server.requests).toEqual([])
    expect((await mine.remove(made[0]?.id ?? '')).status).toBe(204)
    const answers = await Promise.all([1, 2, 3].map(() => mine.create(body())))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409])
  })
})
