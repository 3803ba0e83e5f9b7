import { beforeAll, describe, expect, test } from 'vitest'
import { expectWholeChain } from '../../support/governance.ts'
import {
  categories,
  faultOf,
  fullConfigs,
  integrationsOf,
  makeOrgOn,
  shownConfigs,
  types,
} from '../../support/integrations.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { allRows, rowsOf } from '../../support/rows.ts'

let org: TestOrg
let on: ReturnType<typeof integrationsOf>
beforeAll(async () => {
  org = await makeOrgOn('enterprise')
  on = integrationsOf(org)
})

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)

describe('creating an integration', () => {
  test.each(types)('%s with a whole configuration is a valid record, enabled, its secrets masked', async (type) => {
    const { status, headers, body } = await on.create({ type, name: `my ${type}`, config: fullConfigs[type] })
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.stringMatching(/^int_[0-7][0-9a-hjkmnp-tv-z]{25}$/),
      type,
      category: categories[type],
      name: `my ${type}`,
      enabled: true,
      config_valid: true,
      created_at: time,
      updated_at: body.created_at,
      config: shownConfigs[type],
      disabled_reason: null,
      event_types:
        categories[type] === 'data' || type === 'webhook'
          ? ['*']
          : ['billing.*', 'usage.*', 'api_key.*', 'integration.disabled'],
      include_denied: false,
      ...{ notify_on_deploy: null, notify_on_incident: null, notify_on_approval: null },
    })
    expect(headers.location).toBe(`/api/v2/settings/integrations/${body.id}`)
    const got = await on.get(body.id)
    expect(got.status).toBe(200)
    expect(got.body).toEqual(body)
    expect(got.headers.etag).toBe(headers.etag)
    expect(headers.etag).toMatch(/^"[^"]+"$/)
  })

  test.each(types)('%s without a configuration is kept, and not valid yet', async (type) => {
    for (const config of [undefined, {}]) {
      const { status, body } = await on.create({ type, name: 'empty', ...(config ? { config } : {}) })
      expect(status).toBe(201)
      expect(body).toMatchObject({ type, enabled: true, config_valid: false, config: {} })
      expect((await on.get(body.id)).body).toEqual(body)
    }
  })

  test('null for a field of the configuration is the same as leaving it out', async () => {
    const { body } = await on.create({ type: 'slack', name: 'nulls', config: { webhook_url: null, channel: null } })
    expect(body).toMatchObject({ config: {}, config_valid: false })
  })

  test('one strong ETag is one text: created and read, headers of any order are the same bytes', async () => {
    const config = { ...fullConfigs.webhook, headers: { 'X-Z': 'zzzz', b: 'bbbb', 'A-1': 'aaaa', 'X-a': 'cccc' } }
    const created = await on.create({ type: 'webhook', name: 'headers', config })
    const got = await on.get(created.body.id)
    expect(got.headers.etag).toBe(created.headers.etag)
    expect(got.text).toBe(created.text)
  })

  test('the event has its secrets only as masks', async () => {
    const { id } = await on.make('webhook', fullConfigs.webhook, 'told')
    const events = await on.eventsOf(id)
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({
      action: 'integration.created',
      result: 'success',
      actor: { type: 'api_key' },
      resource: { type: 'integration', id, name: 'told' },
    })
    expect(Object.fromEntries(events[0]?.changes.map(({ field, after }) => [field, after]) ?? [])).toEqual({
      type: 'webhook',
      name: 'told',
      enabled: true,
      'config.url': 'https://hooks.acme.io/…7c21',
      'config.signing_secret': '…pXv7',
      'config.headers': { 'X-Team': '…4711', Authorization: '…7dec' },
      event_types: ['*'],
      include_denied: false,
    })
  })

  test('a key with the same body replays the first answer, and one integration is made', async () => {
    const request = { type: 'pagerduty', name: 'once', config: fullConfigs.pagerduty }
    const headers = { 'idempotency-key': 'create once' }
    const [first, second] = [await on.create(request, { headers }), await on.create(request, { headers })]
    expect(second.status).toBe(201)
    expect(second.headers['idempotency-replayed']).toBe('true')
    expect(second.body).toEqual(first.body)
    expect(second.headers.location).toBe(first.headers.location)
    const rows = await rowsOf(org.orgId, 'INT#')
    expect(rows.filter(({ name }) => name === 'once')).toHaveLength(1)
  })
})

describe('what a create refuses', () => {
  test.each([
    ['no type', { name: 'x' }, ['type']],
    ['a type of none', { type: 'carrier_pigeon', name: 'x' }, ['type']],
    ['a type of another kind', { type: ['slack'], name: 'x' }, ['type']],
    ['a type that every object has', { type: 'constructor', name: 'x' }, ['type']],
    ['no name', { type: 'slack' }, ['name']],
    ['an empty name', { type: 'slack', name: '' }, ['name']],
    ['a blank name', { type: 'slack', name: '  ' }, ['name']],
    ['a name of 101 characters', { type: 'slack', name: 'x'.repeat(101) }, ['name']],
    ['a name with a control character', { type: 'slack', name: 'a\nb' }, ['name']],
    ['null for the name', { type: 'slack', name: null }, ['name']],
    ['null for the configuration', { type: 'slack', name: 'x', config: null }, ['config']],
    ['a list for the configuration', { type: 'slack', name: 'x', config: [] }, ['config']],
    ['a text for the configuration', { type: 'slack', name: 'x', config: '{}' }, ['config']],
    ['a field that it does not have', { type: 'slack', name: 'x', enabled: false }, ['enabled']],
    ['its own id', { type: 'slack', name: 'x', id: 'int_1', created_at: 'now' }, ['created_at', 'id']],
    ['a field of another type', { type: 'slack', name: 'x', config: { routing_key: 'a' } }, ['config.routing_key']],
    ['a field of no type', { type: 'email', name: 'x', config: { foo: 1, bar: 2 } }, ['config.bar', 'config.foo']],
    [
      'faults of several fields, all at once',
      { type: 'datadog', name: '', config: { api_key: 'short', site: 'nowhere', foo: 1 }, more: 1 },
      ['config.api_key', 'config.foo', 'config.site', 'more', 'name'],
    ],
  ])('%s is 400, named, and nothing is written', async (_title, body, paths) => {
    const before = (await rowsOf(org.orgId, 'INT#')).length
    const response = await on.create(body)
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response).sort()).toEqual(paths)
    expect(await rowsOf(org.orgId, 'INT#')).toHaveLength(before)
  })

  test('the error for an unknown type lists the types', async () => {
    const { message } = faultOf(await on.create({ type: 'carrier_pigeon', name: 'x' }), 'type') ?? {}
    for (const type of types) expect(message).toContain(type)
  })

  test('no body is 400', async () => {
    expectProblem(await invoke('integrations/create', { token: org.adminKey }), 'invalid_input')
  })

  test('a key that only reads is 403, and its attempt leaves an event', async () => {
    const count = async () =>
      (
        await invoke('audit-events/list', { token: org.adminKey, query: { action: 'integration.created' } })
      ).body.data.filter(({ result }: { result: string }) => result === 'denied').length
    const before = await count()
    const response = await on.create({ type: 'slack', name: 'x' }, { token: org.readOnlyKey })
    expectProblem(response, 'forbidden')
    expect(response.body.detail).toContain('integrations:write')
    expect(await count()).toBe(before + 1)
  })

  test.each([
    ['a URL of 2048 characters of three bytes each', { url: `https://acme.io/${'€'.repeat(2032)}` }],
    ['a URL of 2048 characters of which some have two bytes', { url: `https://acme.io/${'é'.repeat(2032)}` }],
    ['a signing secret of 1024 characters of three bytes each', { signing_secret: '€'.repeat(1024) }],
  ])('%s is encrypted or refused, and no error of ours', async (_title, config) => {
    const response = await on.create({ type: 'webhook', name: 'long', config })
    if (response.status === 201) return
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual(Object.keys(config).map((name) => `config.${name}`))
  })

  test('a signing secret whose last characters are pairs of halves keeps the trail provable and the ETag true', async () => {
    const other = await makeOrgOn('enterprise')
    const calls = integrationsOf(other)
    const config = { signing_secret: 'sixteen letters \u{1F511}abc' }
    const created = await calls.create({ type: 'webhook', name: 'emoji', config })
    expect(created.status).toBe(201)
    expect(String(created.body.config.signing_secret).isWellFormed()).toBe(true)
    const got = await calls.get(created.body.id)
    expect(got.body).toEqual(created.body)
    expect(got.headers.etag).toBe(created.headers.etag)
    await expectWholeChain(other)
  })
})

describe('the plan', () => {
  test('webhook on free is 402, names the plan that has it, and writes nothing but the counters of requests', async () => {
    const free = await makeBusyOrg()
    const calls = integrationsOf(free)
    const kept = async () =>
      (await allRows()).filter(({ pk, sk }) => pk === `ORG#${free.orgId}` && /INT#|EVENT#/.test(sk))
    const before = await kept()
    const response = await calls.create({ type: 'webhook', name: 'hook', config: fullConfigs.webhook })
    expectProblem(response, 'plan_limit_reached')
    expect(response.body.detail).toContain('team')
    expect(faultPaths(response)).toEqual(['type'])
    expect(await kept()).toEqual(before)
  })

  test('every type but webhook and siem is open to free', async () => {
    const calls = integrationsOf(await makeBusyOrg())
    const open = types.filter((type) => type !== 'webhook' && type !== 'siem')
    for (const type of open) await calls.make(type)
    expect((await calls.list()).body.data.map(({ type }: { type: string }) => type)).toEqual(open.reverse())
  })

  test('webhook is open to team and enterprise', async () => {
    for (const plan of ['team', 'enterprise'] as const) {
      await integrationsOf(await makeOrgOn(plan)).make('webhook')
    }
  })

  test('a fault of the body has priority over the missing plan', async () => {
    const calls = integrationsOf(await makeBusyOrg())
    for (const config of [{ url: 'http://acme.io' }, { signing_secret: '…abcdefghijklmnopq' }]) {
      expectProblem(await calls.create({ type: 'webhook', name: 'hook', config }), 'invalid_input')
    }
  })
})

describe('the most that an org may have', () => {
  let full: TestOrg
  beforeAll(async () => {
    full = await makeBusyOrg()
  })

  test('is 100: of those that come at once as many as fit are made, and a deleted one makes room', async () => {
    const calls = integrationsOf(full)
    for (let count = 0; count < 95; count++) await calls.make('email', {})
    const rush = await Promise.all(
      Array.from({ length: 9 }, (_, index) => calls.create({ type: 'slack', name: `${index}` })),
    )
    const made = rush.filter(({ status }) => status === 201)
    expect(made).toHaveLength(5)
    for (const response of rush.filter(({ status }) => status !== 201)) {
      expectProblem(response, 'conflict')
      expect(response.body.detail).toContain('100')
    }
    expect(await rowsOf(full.orgId, 'INT#')).toHaveLength(100)
    expect((await calls.list({ limit: '100' })).body.data).toHaveLength(100)
    const created = await invoke('audit-events/list', {
      token: full.adminKey,
      query: { action: 'integration.created', limit: '100' },
    })
    expect(created.body.data).toHaveLength(100)

    const id = made[0]?.body.id ?? ''
    const removals = await Promise.all([calls.remove(id), calls.remove(id), calls.remove(id)])
    expect(removals.map(({ status }) => status).sort()).toEqual([204, 404, 404])
    await calls.make('slack')
    expectProblem(await calls.create({ type: 'slack', name: 'one too many' }), 'conflict')
  })

  test('has priority over the missing plan', async () => {
    const response = await integrationsOf(full).create({ type: 'webhook', name: 'neither plan nor room' })
    expectProblem(response, 'conflict')
  })
})
