import { beforeAll, describe, expect, test } from 'vitest'
import { expectWholeChain, trailEnd } from '../../support/governance.ts'
import {
  faultOf,
  fullConfigs,
  integrationsOf,
  type Made,
  makeOrgOn,
  shownConfigs,
  types,
} from '../../support/integrations.ts'
import type { TestOrg } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { rowsOf } from '../../support/rows.ts'

let org: TestOrg
let on: ReturnType<typeof integrationsOf>
beforeAll(async () => {
  org = await makeOrgOn('enterprise')
  on = integrationsOf(org)
})

const updatesOf = async (id: string) => (await on.eventsOf(id)).filter(({ action }) => action === 'integration.updated')
const rowOf = async (id: string) => (await rowsOf(org.orgId, `INT#${id}`))[0]

/** Asserts that nothing of an integration has moved: its row, its ETag, its events. */
async function expectUntouched(made: Made): Promise<void> {
  const { headers } = await on.get(made.id)
  expect(headers.etag).toBe(made.etag)
  expect(await rowOf(made.id)).toMatchObject({ version: 1, updated_at: made.updated_at })
  expect(await updatesOf(made.id)).toEqual([])
}

describe('patching an integration', () => {
  test('changes the fields it names and keeps the others', async () => {
    const made = await on.make('webhook')
    const { status, body, headers } = await on.patch(made.id, { name: 'renamed' })
    expect(status).toBe(200)
    const { etag: _etag, ...record } = made
    expect(body).toEqual({ ...record, name: 'renamed', updated_at: body.updated_at, ignored_fields: [] })
    expect(body.updated_at >= made.updated_at).toBe(true)
    const got = await on.get(made.id)
    expect({ ...got.body, ignored_fields: [] }).toEqual(body)
    expect(headers.etag).toBe(got.headers.etag)
    expect(headers.etag).not.toBe(made.etag)
  })

  test.each(types)(
    'fills an empty %s field by field until it is the record that a whole create makes',
    async (type) => {
      const { id } = await on.make(type, {})
      for (const [field, value] of Object.entries(fullConfigs[type])) {
        const { status, body } = await on.patch(id, { config: { [field]: value } })
        expect(status).toBe(200)
        expect(body.ignored_fields).toEqual([])
      }
      expect((await on.get(id)).body).toMatchObject({ config: shownConfigs[type], config_valid: true })
      expect((await on.get(id)).body.config).toEqual(shownConfigs[type])
    },
  )

  test.each(types)('null clears each field of %s, and what is cleared is kept nowhere', async (type) => {
    const { id } = await on.make(type)
    const shown: Record<string, unknown> = { ...shownConfigs[type] }
    for (const field of Object.keys(shown)) {
      delete shown[field]
      const { status, body } = await on.patch(id, { config: { [field]: null } })
      expect(status).toBe(200)
      expect(body.config).toEqual(shown)
    }
    expect((await on.get(id)).body).toMatchObject({ config: {}, config_valid: false })
    expect((await rowOf(id))?.config).toEqual({})
  })

  test('headers are merged by name: absent keeps, null removes, the rest is set', async () => {
    const headers = { 'X-Keep': 'kept-value-1111', 'X-Drop': 'dropped-value-2', 'X-Change': 'old-value-3333' }
    const { id } = await on.make('webhook', { headers })
    const patch = { headers: { 'X-Drop': null, 'X-Change': 'new-value-4444', 'X-New': 'added-value-5555' } }
    const { status, body } = await on.patch(id, { config: patch })
    expect(status).toBe(200)
    expect(body.config.headers).toEqual({ 'X-Keep': '…1111', 'X-Change': '…4444', 'X-New': '…5555' })
    expect((await on.get(id)).body.config).toEqual(body.config)
  })

  test('removing a header that is not there changes nothing', async () => {
    const made = await on.make('webhook')
    const { status, body } = await on.patch(made.id, { config: { headers: { 'X-Nobody': null } } })
    expect(status).toBe(200)
    expect(body.updated_at).toBe(made.updated_at)
    await expectUntouched(made)
  })

  test('header names are case-insensitive, as in HTTP', async () => {
    const { id } = await on.make('webhook', { headers: { 'X-Token': 'old-value-1111' } })
    const { body } = await on.patch(id, { config: { headers: { 'x-token': 'new-value-2222' } } })
    expect(Object.values(body.config.headers as object)).toEqual(['…2222'])
    const removed = await on.patch(id, { config: { headers: { 'X-TOKEN': null } } })
    expect(removed.body.config.headers ?? {}).toEqual({})
  })

  test('no more than 10 headers come together, those that are stored among them', async () => {
    const named = (from: number, to: number) =>
      Object.fromEntries(Array.from({ length: to - from }, (_, index) => [`X-${from + index}`, 'value']))
    const made = await on.make('webhook', { headers: named(0, 8) })
    const response = await on.patch(made.id, { config: { headers: named(8, 11) } })
    expectProblem(response, 'invalid_input')
    expect(faultOf(response, 'config.headers')?.message).toContain('10')
    await expectUntouched(made)
    expect((await on.patch(made.id, { config: { headers: { ...named(8, 11), 'X-0': null } } })).status).toBe(200)
    expect(Object.keys((await on.get(made.id)).body.config.headers as object)).toHaveLength(10)
  })

  test('a list is replaced as a whole', async () => {
    const { id } = await on.make('email')
    const { body } = await on.patch(id, { config: { recipients: ['new@acme.io'] } })
    expect(body.config).toEqual({ recipients: ['new@acme.io'], reply_to: 'desk@acme.io' })
  })

  test('switches it off and on', async () => {
    const { id } = await on.make('slack')
    expect((await on.patch(id, { enabled: false })).body.enabled).toBe(false)
    expect((await on.get(id)).body.enabled).toBe(false)
    expect((await on.patch(id, { enabled: true })).body.enabled).toBe(true)
  })

  test('is taken as application/merge-patch+json too', async () => {
    const { id } = await on.make('slack')
    const headers = { 'content-type': 'application/merge-patch+json' }
    expect((await on.patch(id, { name: 'merged' }, { headers })).body.name).toBe('merged')
  })
})

describe('fields that a patch cannot change', () => {
  test('are dropped and named, in the configuration too, and the rest is applied', async () => {
    const made = await on.make('slack')
    const { status, body } = await on.patch(made.id, {
      name: 'applied',
      type: 'email',
      id: 'int_other',
      config_valid: false,
      created_at: '2020-01-01T00:00:00.000Z',
      version: 99,
      ignored_fields: [],
      foo: { bar: 1 },
      config: { channel: '#new', foo: 1, routing_key: 'a', headers: { a: 'b' } },
    })
    expect(status).toBe(200)
    expect([...body.ignored_fields].sort()).toEqual(
      [
        ...['type', 'id', 'config_valid', 'created_at', 'version', 'ignored_fields', 'foo'],
        ...['config.foo', 'config.routing_key', 'config.headers'],
      ].sort(),
    )
    expect(body).toMatchObject({ id: made.id, type: 'slack', name: 'applied', created_at: made.created_at })
    expect(body.config).toEqual({ ...shownConfigs.slack, channel: '#new' })
    const { ignored_fields: _ignored, ...record } = body
    expect((await on.get(made.id)).body).toEqual(record)
    expect(await rowOf(made.id)).toMatchObject({ version: 2, type: 'slack' })
  })

  test.each([
    [{ type: 'email' }, ['type']],
    [{ foo: null, bar: [] }, ['foo', 'bar']],
    [{ config: { foo: 1 } }, ['config.foo']],
    [{ config: { foo: null }, id: 'x' }, ['id', 'config.foo']],
    [{ constructor: 1, hasOwnProperty: 2 }, ['constructor', 'hasOwnProperty']],
    [{ config: { constructor: 1, toString: 2 } }, ['config.constructor', 'config.toString']],
  ])('alone in %j are 200, named, and change nothing', async (patch, ignored) => {
    const made = await on.make('slack')
    const { status, body, headers } = await on.patch(made.id, patch)
    expect(status).toBe(200)
    expect(body.ignored_fields).toEqual(ignored)
    expect(body).toMatchObject({ updated_at: made.updated_at, config: made.config })
    expect(headers.etag).toBe(made.etag)
    await expectUntouched(made)
  })

  test.each([
    ['{"__proto__": {"name": "x"}}', '__proto__'],
    ['{"config": {"__proto__": {"channel": "#x"}}}', 'config.__proto__'],
  ])(
    'are refused or named, never dropped without a word, even when every object has them: %s',
    async (rawBody, name) => {
      const made = await on.make('slack')
      const response = await on.patch(made.id, {}, { rawBody })
      if (response.status === 200) expect(response.body.ignored_fields).toEqual([name])
      else expectProblem(response, 'invalid_input')
      await expectUntouched(made)
    },
  )
})

describe('what a patch refuses', () => {
  test.each([
    ['nothing', {}, ['']],
    ['null for the name', { name: null }, ['name']],
    ['null for enabled', { enabled: null }, ['enabled']],
    ['null for the configuration', { config: null }, ['config']],
    ['an empty name', { name: '' }, ['name']],
    ['a name of 101 characters', { name: 'x'.repeat(101) }, ['name']],
    ['enabled as text', { enabled: 'true' }, ['enabled']],
    ['the configuration as a list', { config: ['webhook_url'] }, ['config']],
    [
      'a good field beside a bad one',
      { name: 'good', config: { channel: '#good', webhook_url: 'bad' } },
      ['config.webhook_url'],
    ],
    ['ignored fields beside a bad one', { foo: 1, name: null, config: { foo: 1 } }, ['name']],
    ['a list', [], ['']],
  ])('%s is 400, named, and nothing is changed', async (_title, patch, paths) => {
    const made = await on.make('slack')
    const response = await on.patch(made.id, patch)
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual(paths)
    await expectUntouched(made)
  })

  test.each([
    ['slack', 'webhook_url'],
    ['microsoft_teams', 'webhook_url'],
    ['pagerduty', 'routing_key'],
    ['opsgenie', 'api_key'],
    ['webhook', 'url'],
    ['webhook', 'signing_secret'],
    ['webhook', 'headers'],
    ['datadog', 'api_key'],
    ['opentelemetry', 'headers'],
  ] as const)('what a read shows of %s %s, sent back, is 400 and told for a mask', async (type, field) => {
    const made = await on.make(type)
    const response = await on.patch(made.id, { config: { [field]: made.config[field] } })
    expectProblem(response, 'invalid_input')
    const names = field === 'headers' ? Object.keys(made.config.headers as object) : []
    const paths = names.length > 0 ? names.map((name) => `config.headers.${name}`) : [`config.${field}`]
    expect(faultPaths(response).every((path) => paths.includes(path))).toBe(true)
    expect(response.body.errors[0].message).toMatch(/mask/)
    await expectUntouched(made)
  })

  test('a whole record, read and sent back, is 400 and not a loss of its secrets', async () => {
    const made = await on.make('webhook')
    expectProblem(await on.patch(made.id, (await on.get(made.id)).body), 'invalid_input')
    await expectUntouched(made)
  })

  test.each([[{}], [{ name: null }], [{ enabled: 'yes' }], [{ config: null }]])(
    'the fault of the body %j has priority over a missing resource',
    async (patch) => {
      expectProblem(await on.patch('int_01jd3v7k3q9x5m2n8r4t6w0y1z', patch), 'invalid_input')
    },
  )

  test.each([
    ['a bad URL', { config: { url: 'http://acme.io' } }],
    ['a mask', { config: { signing_secret: 'sixteen or more …abcd' } }],
  ])('%s has priority over an outdated ETag', async (_title, patch) => {
    const made = await on.make('webhook')
    expectProblem(await on.patch(made.id, patch, { headers: { 'if-match': '"other"' } }), 'invalid_input')
  })
})

describe('If-Match', () => {
  test('of another ETag is 412 and nothing is changed; the current one and * are taken', async () => {
    const made = await on.make('slack')
    const ifMatch = (tag: string) => ({ headers: { 'if-match': tag } })
    expectProblem(await on.patch(made.id, { name: 'x' }, ifMatch('"other"')), 'precondition_failed')
    expectProblem(await on.patch(made.id, { foo: 1 }, ifMatch('"other"')), 'precondition_failed')
    await expectUntouched(made)
    const first = await on.patch(made.id, { name: 'first' }, ifMatch(made.etag))
    expect(first.status).toBe(200)
    expectProblem(await on.patch(made.id, { name: 'late' }, ifMatch(made.etag)), 'precondition_failed')
    const { etag = '' } = first.headers
    expect((await on.patch(made.id, { name: 'second' }, ifMatch(`"other", ${etag}`))).status).toBe(200)
    expect((await on.patch(made.id, { name: 'third' }, ifMatch('*'))).body.name).toBe('third')
    expect(await updatesOf(made.id)).toHaveLength(3)
  })

  test('of two patches at once that name the same ETag exactly one lands, as a whole', async () => {
    for (let round = 0; round < 5; round++) {
      const made = await on.make('slack')
      const headers = { 'if-match': made.etag }
      const answers = await Promise.all([
        on.patch(made.id, { name: 'a', config: { channel: '#a' } }, { headers }),
        on.patch(made.id, { name: 'b', config: { channel: '#b' } }, { headers }),
      ])
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 412])
      const won = answers[0]?.status === 200 ? 'a' : 'b'
      expect((await on.get(made.id)).body).toMatchObject({ name: won, config: { channel: `#${won}` } })
      expect(await updatesOf(made.id)).toHaveLength(1)
    }
  })
})

describe('patches at once without If-Match', () => {
  test('of different fields all land, and each has its event', async () => {
    const made = await on.make('webhook')
    const patches = [
      { name: 'renamed' },
      { enabled: false },
      { config: { signing_secret: 'another secret of 8888' } },
      { config: { headers: { 'X-One': 'header-value-7777' } } },
      { config: { headers: { 'X-Two': 'header-value-6666', 'X-Team': null } } },
    ]
    const answers = await Promise.all(patches.map((patch) => on.patch(made.id, patch)))
    expect(answers.map(({ status }) => status)).toEqual(patches.map(() => 200))
    expect((await on.get(made.id)).body).toMatchObject({ name: 'renamed', enabled: false })
    expect((await on.get(made.id)).body.config).toEqual({
      url: 'https://hooks.acme.io/…7c21',
      signing_secret: '…8888',
      headers: { Authorization: '…7dec', 'X-One': '…7777', 'X-Two': '…6666' },
    })
    expect(await updatesOf(made.id)).toHaveLength(patches.length)
    expect(await rowOf(made.id)).toMatchObject({ version: 1 + patches.length })
  })

  test('a patch and a deletion end with it gone', async () => {
    const { id } = await on.make('slack')
    const [patched, removed] = await Promise.all([on.patch(id, { name: 'x' }), on.remove(id)])
    expect(removed.status).toBe(204)
    expect([200, 404]).toContain(patched.status)
    expectProblem(await on.get(id), 'not_found')
    expect((await on.eventsOf(id)).at(-1)?.action).toBe('integration.deleted')
  })
})

describe('the event of a patch', () => {
  test('has each changed field, before and after, with secrets as masks', async () => {
    const { id } = await on.make('webhook', fullConfigs.webhook, 'old')
    await on.patch(id, {
      name: 'new',
      enabled: true,
      config: {
        url: 'https://acme.io/replaced/5555',
        signing_secret: null,
        headers: { 'X-Team': 'platform-0000', Authorization: 'Bearer another-8888' },
      },
    })
    const [event, ...more] = await updatesOf(id)
    expect(more).toEqual([])
    expect(event).toMatchObject({ result: 'success', resource: { type: 'integration', id, name: 'new' } })
    const byField = (a: { field: string }, b: { field: string }) => (a.field < b.field ? -1 : 1)
    expect(event?.changes.sort(byField)).toEqual([
      {
        field: 'config.headers',
        before: { 'X-Team': '…4711', Authorization: '…7dec' },
        after: { 'X-Team': '…0000', Authorization: '…8888' },
      },
      { field: 'config.signing_secret', before: '…pXv7', after: null },
      { field: 'config.url', before: 'https://hooks.acme.io/…7c21', after: 'https://acme.io/…5555' },
      { field: 'name', before: 'old', after: 'new' },
    ])
  })

  test('a secret replaced by one with the same last 4 characters is a change, and leaves an event', async () => {
    const made = await on.make('webhook')
    const first = await rowOf(made.id)
    const config = { signing_secret: 'a different one pXv7', headers: { 'X-Team': 'another-team-4711' } }
    const { status, body } = await on.patch(made.id, { config })
    expect(status).toBe(200)
    expect(body.config).toEqual(made.config)
    const [event] = await updatesOf(made.id)
    expect(event?.changes.map(({ field }) => field).sort()).toEqual(['config.headers', 'config.signing_secret'])
    expect(event?.changes.find(({ field }) => field === 'config.signing_secret')).toEqual({
      field: 'config.signing_secret',
      before: '…pXv7',
      after: '…pXv7',
    })
    expect((await rowOf(made.id))?.config).not.toEqual(first?.config)
  })

  test.each([
    ['the same name', { name: 'same' }],
    ['the same everything that is not secret', { name: 'same', enabled: true, config: { severity: 'error' } }],
    ['an empty configuration', { config: {} }],
  ])('there is none for %s, and the record answers as it was', async (_title, patch) => {
    const made = await on.make('pagerduty', fullConfigs.pagerduty, 'same')
    const { status, body, headers } = await on.patch(made.id, patch)
    expect(status).toBe(200)
    const { etag, ...record } = made
    expect(body).toEqual({ ...record, ignored_fields: [] })
    expect(headers.etag).toBe(etag)
    await expectUntouched(made)
  })

  test('clearing an empty field leaves none', async () => {
    const made = await on.make('slack', {})
    expect((await on.patch(made.id, { config: { webhook_url: null, channel: null } })).status).toBe(200)
    await expectUntouched(made)
  })

  test('a denied attempt leaves an event as such, and changes nothing', async () => {
    const made = await on.make('slack')
    const response = await on.patch(made.id, { name: 'x' }, { token: org.readOnlyKey })
    expectProblem(response, 'forbidden')
    expect(response.body.detail).toContain('integrations:write')
    expect((await on.eventsOf(made.id)).at(-1)).toMatchObject({
      action: 'integration.updated',
      result: 'denied',
      changes: [],
    })
    expect((await on.get(made.id)).headers.etag).toBe(made.etag)
  })

  test('the chain of an org full of them is whole', async () => {
    await expectWholeChain(org)
    expect(await trailEnd(org)).toBeGreaterThan(50)
  })
})
