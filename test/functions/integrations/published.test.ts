/** Integrations as the platform's published clients know them. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { OperationName } from '../../../functions/operations.ts'
import { fullConfigs, integrationsOf, makeOrgOn } from '../../support/integrations.ts'
import { invoke, invokePublished, type Request } from '../../support/invoke.ts'
import { makeOrg, type TestOrg } from '../../support/orgs.ts'
import { memberOf } from '../../support/readable.ts'

let org: TestOrg
beforeAll(async () => {
  org = await makeOrgOn('enterprise')
})

const call = <Name extends OperationName>(name: Name, request: Request = {}) =>
  invokePublished(name, { token: org.adminKey, ...request })
const on = (id: string) => ({ params: { integration_id: id } })
const create = (integration_type: string, config?: object) =>
  call('integrations/create', { body: { name: integration_type, integration_type, ...(config ? { config } : {}) } })
const detail = async (id: string) => (await call('integrations/get', on(id))).body

describe.each([
  [
    'slack',
    {
      webhook_url: 'https://hooks.slack.com/services/T0/B0/k1',
      slack_channel_id: '#ops',
      slack_workspace_id: 'T0ACME',
    },
  ],
  ['email', { email_recipients: 'ops@acme.io,sre@acme.io', email_from: 'desk@acme.io' }],
  ['webhook', { webhook_url: 'https://hooks.acme.io/a1b2c3d4e5f6' }],
  ['siem', { siem_endpoint: 'https://siem.acme.io/a1b2c3d4e5f6', siem_format: 'cef' }],
])('of type %s', (type, config) => {
  test('is created with its name and type alone, and filled field by field', async () => {
    const created = await create(type)
    expect(created.status, created.text).toBe(201)
    expect(created.headers.location).toBe(`/api/v1/settings/integrations/${created.body.id}`)
    const before = await detail(created.body.id)
    const changed = await call('integrations/update', { ...on(created.body.id), body: config })
    expect(changed.status, changed.text).toBe(200)
    const secret = Object.keys(config).filter((name) => /url|endpoint/.test(name))
    const shown = Object.fromEntries(Object.entries(config).filter(([name]) => !secret.includes(name)))
    expect(changed.body).toMatchObject(shown)
    for (const name of secret) expect(memberOf(changed.body, name)).toMatch(/^https:\/\/[^/]+\/…/)
    expect(await detail(created.body.id)).toEqual(changed.body)
    const named = [...Object.keys(config), 'updated_at']
    for (const name of Object.keys(before).filter((other) => !named.includes(other)))
      expect(memberOf(changed.body, name), name).toEqual(memberOf(before, name))
  })

  test('is created with a configuration of flat names', async () => {
    const created = await create(type, config)
    expect(created.status, created.text).toBe(201)
    const verdict = await call('integrations/validate', on(created.body.id))
    // The published record has no field for a signing secret, which a webhook needs.
    expect(verdict.body).toMatchObject({ success: type !== 'webhook' })
  })

  test('keeps its notices and its events', async () => {
    const { body } = await create(type)
    const patch = { webhook_events: 'api_key.*,billing.*', notify_on_deploy: true, notify_on_incident: false }
    const changed = await call('integrations/update', { ...on(body.id), body: patch })
    expect(changed.body, changed.text).toMatchObject({ ...patch, notify_on_approval: null })
    const ours = await invoke('integrations/get', { token: org.adminKey, ...on(body.id) })
    expect(ours.body).toMatchObject({ event_types: ['api_key.*', 'billing.*'], notify_on_deploy: true })
  })
})

test('events of other parts of the platform are kept, and our own face refuses them', async () => {
  const { body } = await create('webhook', { webhook_events: 'deploy,incident.opened' })
  expect(await detail(body.id)).toMatchObject({ webhook_events: 'deploy,incident.opened' })
  const changed = await call('integrations/update', { ...on(body.id), body: { webhook_events: 'approval, deploy' } })
  expect(changed.body, changed.text).toMatchObject({ webhook_events: 'approval,deploy' })
  const refused = await invoke('integrations/update', {
    token: org.adminKey,
    ...on(body.id),
    body: { event_types: ['deploy'] },
  })
  expect(refused.status).toBe(400)
})

test('faults have the flat names', async () => {
  const { body } = await create('slack')
  const faultsOf = async (patch: object) => {
    const refused = await call('integrations/update', { ...on(body.id), body: patch })
    expect(refused.status, refused.text).toBe(400)
    return refused.body.error.details.errors.map(({ path }: { path: string }) => path)
  }
  expect(await faultsOf({ webhook_url: 'https://example.com/x' })).toEqual(['webhook_url'])
  expect(await faultsOf({ siem_format: 'json' })).toEqual(['siem_format'])
  expect(await faultsOf({ webhook_events: 'deploy now' })).toEqual(['webhook_events.0'])
  const created = await create('slack', { webhook_url: 'https://example.com/x' })
  expect(created.body.error.details.errors[0].path).toBe('webhook_url')
  expect(await faultsOf({ colour: 'red' })).toEqual(['colour'])
})

test('a type that the published contract does not have is read as the nearest, and only renamed or switched', async () => {
  const { create: ours } = integrationsOf(org)
  for (const [type, nearest] of [
    ['pagerduty', 'webhook'],
    ['microsoft_teams', 'webhook'],
    ['datadog', 'siem'],
    ['opentelemetry', 'siem'],
  ] as const) {
    const { body } = await ours({ type, name: type, config: fullConfigs[type] })
    expect(await detail(body.id)).toMatchObject({ integration_type: nearest })
    const renamed = await call('integrations/update', { ...on(body.id), body: { name: 'renamed', enabled: false } })
    expect(renamed.body).toMatchObject({ name: 'renamed', enabled: false })
    const refused = await call('integrations/update', {
      ...on(body.id),
      body: { webhook_url: 'https://example.com/x' },
    })
    expect([refused.status, refused.body.error.details.errors[0].path]).toEqual([400, 'webhook_url'])
  }
})

test('our own face takes no flat fields', async () => {
  const { body } = await create('slack')
  const answered = await invoke('integrations/update', {
    token: org.adminKey,
    ...on(body.id),
    body: { webhook_url: 'x', config: { slack_channel_id: '#x' } },
  })
  expect(answered.body.ignored_fields).toEqual(['webhook_url', 'config.slack_channel_id'])
})

test('the error for an incomplete one lists its missing fields; a missing one has the published code; a plan is needed', async () => {
  const { body } = await create('email')
  expect((await call('integrations/validate', on(body.id))).body).toMatchObject({
    success: false,
    message: expect.stringMatching(/^email_recipients: /),
  })
  expect((await call('integrations/delete', on(body.id))).status).toBe(204)
  const gone = await call('integrations/get', on(body.id))
  expect([gone.status, gone.body.error.code]).toEqual([404, 'integration_not_found'])
  const free = await makeOrg()
  const refused = await invokePublished('integrations/create', {
    token: free.adminKey,
    body: { name: 's', integration_type: 'siem' },
  })
  expect([refused.status, refused.body.error.code]).toEqual([402, 'plan_limit_exceeded'])
})
