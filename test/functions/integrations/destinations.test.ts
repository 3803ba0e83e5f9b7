/** Stored secrets stay with the destination that their setter named; vendors' values are taken as vendors document them. */
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { billingOf } from '../../support/billing.ts'
import { invoke, type Response } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
  await billingOf(org).override({ plan: 'enterprise', reason: 'webhooks' })
})

const create = (type: string, config: object, by = org) =>
  invoke('integrations/create', { token: by.adminKey, body: { type, name: type, config } })
const patch = (id: string, body: object, by = org) =>
  invoke('integrations/update', { token: by.adminKey, params: { integration_id: id }, body })
const paths = ({ body }: Response): string[] => (body.errors ?? []).map(({ path }: { path: string }) => path)

const secrets = { signing_secret: 'a signing secret 01', headers: { Authorization: 'Bearer one', 'X-Team': 'two' } }

describe('a new URL', () => {
  test('of a webhook needs its signing secret and each of its headers again', async () => {
    const { body } = await create('webhook', { url: 'https://hooks.acme.io/a', ...secrets })
    const url = 'https://evil.example/collect'
    expect(paths(await patch(body.id, { config: { url } })).sort()).toEqual([
      'config.headers.Authorization',
      'config.headers.X-Team',
      'config.signing_secret',
    ])
    expect(
      paths(await patch(body.id, { config: { url, signing_secret: null, headers: { authorization: 'Bearer me' } } })),
    ).toEqual(['config.headers.X-Team'])
    expect((await patch(body.id, { config: { url, signing_secret: null, headers: null } })).status).toBe(200)
    expect((await patch(body.id, { config: { url: 'https://acme.io/b' } })).status).toBe(200)
  })

  test('of an OTLP receiver needs its headers again, and an unencrypted one too', async () => {
    const endpoint = 'https://otel.acme.io:4318'
    const { body } = await create('opentelemetry', { endpoint, protocol: 'http/json', headers: { 'api-key': 'one' } })
    for (const moved of ['http://otel.acme.io:4318', 'https://evil.example', 'https://otel.acme.io:4318/v1/logs']) {
      expect(paths(await patch(body.id, { config: { endpoint: moved } }))).toEqual(['config.headers.api-key'])
    }
    expect((await patch(body.id, { config: { endpoint } })).status).toBe(200)
  })

  test('never gets a secret that was set for another one, after any patches', async () => {
    const value = fc.constantFrom('one', 'two', 'three')
    const step = fc.record(
      {
        url: fc.option(value.map((name) => `https://${name}.example/hook`)),
        signing_secret: fc.option(value.map((name) => `a signing secret ${name}`)),
        headers: fc.option(fc.dictionary(fc.constantFrom('X-One', 'X-Two'), fc.option(value), { maxKeys: 2 })),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const { body } = await create('webhook', {})
        let url: string | undefined
        /** Of each stored secret, the URL that was named with it or stood when it was given. */
        const given = new Map<string, string | undefined>()
        for (const config of steps) {
          if ((await patch(body.id, { config })).status !== 200) continue
          if (config.url !== undefined) url = config.url ?? undefined
          if (config.signing_secret) given.set('signing_secret', url)
          if (config.signing_secret === null) given.delete('signing_secret')
          if (config.headers === null) for (const name of ['X-One', 'X-Two']) given.delete(name)
          for (const [name, text] of Object.entries(config.headers ?? {})) {
            if (text === null) given.delete(name)
            else given.set(name, url)
          }
          if (url !== undefined) for (const [name, named] of given) expect(named, name).toBe(url)
        }
        await invoke('integrations/delete', { token: org.adminKey, params: { integration_id: body.id } })
      }),
      { numRuns: 40 },
    )
  })
})

test('no answer and no event shows a token in the path or query of an OTLP endpoint', async () => {
  const token = 'ZaVnC4dhaV2UvGDWZgGHV9h8TS3Z'
  for (const endpoint of [
    `https://collectors.sumologic.com/receiver/v1/otlp/${token}`,
    `https://otel.acme.io/v1/logs?api_key=${token}`,
  ]) {
    const { body, text } = await create('opentelemetry', { endpoint, protocol: 'http/json' })
    expect(text).not.toContain(token)
    expect(body.config.endpoint).toBe(`${new URL(endpoint).origin}/…${token.slice(-4)}`)
    const seen = await invoke('integrations/get', {
      token: await tokenFor(org.orgId, 'member'),
      params: { integration_id: body.id },
    })
    expect(seen.text).not.toContain(token)
    const events = await invoke('audit-events/list', { token: org.adminKey, query: { resource_id: body.id } })
    expect(events.text).not.toContain(token)
  }
})

test('a webhook that is switched on again needs the plan that its creation needed', async () => {
  const own = await makeBusyOrg()
  await billingOf(own).override({ plan: 'team', reason: 'webhooks' })
  const { body } = await create('webhook', {}, own)
  expect((await patch(body.id, { enabled: false }, own)).status).toBe(200)
  await billingOf(own).override({ plan: null })
  const refused = await patch(body.id, { enabled: true }, own)
  expect([refused.status, paths(refused)]).toEqual([402, ['enabled']])
  expect((await patch(body.id, { name: 'still mine' }, own)).status).toBe(200)
})

test.each([
  ['datadog', { site: 'uk1.datadoghq.com' }],
  ['datadog', { tags: [`team:${'x'.repeat(195)}`, 'équipe:münchen'] }],
  ['slack', { channel: '#การแจ้งเตือน' }],
  ['slack', { channel: '#अलर्ट' }],
  ['slack', { webhook_url: 'https://hooks.slack-gov.com/services/T0/B0/abcdefghij' }],
  ['microsoft_teams', { webhook_url: 'https://a.b.powerplatform.microsoft.us/workflows/1' }],
  ['microsoft_teams', { webhook_url: 'https://prod-1.usgovtexas.logic.azure.us:443/workflows/1' }],
  ['pagerduty', { region: 'eu' }],
  ['email', { recipients: ['ops@münchen.de', 'ops@xn--e1afmkfd.xn--p1ai', 'r&d@acme.com', 'alerts=prod@acme.com'] }],
])('%s takes %j', async (type, config) => {
  const made = await create(type, config)
  expect(made.status, made.text).toBe(201)
})

test.each([
  ['datadog', { tags: [`team:${'x'.repeat(196)}`] }],
  ['email', { recipients: [`${'x'.repeat(65)}@acme.com`] }],
  ['email', { recipients: ['two..dots@acme.com'] }],
  ['email', { recipients: ['ops@acme'] }],
  ['slack', { webhook_url: 'https://hooks.slack.com\\@evil.example/x' }],
])('%s refuses %j', async (type, config) => {
  expect((await create(type, config)).status).toBe(400)
})
