/** Deliveries of the whole local service: what integrations would send to vendors arrives in the local inbox. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Service, seed, startService } from '../../local/service.ts'
import { fullConfigs, type Type } from '../support/integrations.ts'

let service: Service
let key = ''
beforeAll(async () => {
  service = await startService({ port: 0, tableName: process.env.TABLE_NAME ?? '' })
  key = (await seed(service))[1]?.api_keys.full_admin ?? ''
})
afterAll(() => service.close())

const call = async (path: string, body?: object) => {
  const response = await fetch(`${service.url}${path}`, {
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
  })
  return { status: response.status, body: JSON.parse(await response.text()) }
}
const inbox = async (type: string) => (await call(`/local/inbox.json?type=${type}`)).body.data

const vendors = ['slack', 'microsoft_teams', 'pagerduty', 'opsgenie', 'datadog', 'email'] as const satisfies Type[]

test.each(vendors)('%s gets an event within 2 s, with every secret masked', async (type) => {
  const config = fullConfigs[type]
  const made = await call('/api/v2/settings/integrations', {
    type,
    name: type,
    config,
    event_types: ['api_key.created'],
  })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  const startedMs = Date.now()
  await call('/api/v2/settings/api-keys', { name: `key for ${type}`, scopes: ['keys:read'] })
  await vi.waitFor(async () => expect(await inbox(type)).toHaveLength(1), { timeout: 5000, interval: 50 })
  expect(Date.now() - startedMs).toBeLessThan(2000)
  const [received] = await inbox(type)
  expect(received).toMatchObject({ type, integration_id: made.body.id, method: 'POST', body: expect.any(Object) })
  const text = JSON.stringify(received)
  expect(text).toContain('api_key')
  for (const secret of [
    'kJ8sLw2mQz71',
    'c41e9d20',
    'R02ABCDEF3GHIJKLMN4OPQRSTU5VWX6Y',
    '6b1f4c2a-93d7',
    '9775a026f1ca',
  ])
    expect(text).not.toContain(secret)
  const page = await (await fetch(`${service.url}/local/inbox`)).text()
  expect(page).toContain(made.body.id)
})

test('an hour later on that clock, the next events get a checkpoint', async () => {
  const path = '/api/v2/settings/audit-events/checkpoints'
  const checkpoints = async () => (await call(path)).body.data.length
  await vi.waitFor(async () => expect(await checkpoints()).toBe(1), { timeout: 10_000, interval: 50 })
  await call('/api/v2/settings/api-keys', { name: 'unsigned', scopes: ['keys:read'] })
  await vi.waitFor(async () => {
    const { data } = (await call('/api/v2/settings/audit-events?limit=1')).body
    expect(data[0].sealed).toBeGreaterThan(1)
  }, 10_000)
  expect(await checkpoints()).toBe(1)
  await call('/local/clock/advance', { seconds: 3601 })
  await call('/api/v2/settings/api-keys', { name: 'due', scopes: ['keys:read'] })
  await vi.waitFor(async () => expect(await checkpoints()).toBe(2), { timeout: 10_000, interval: 50 })
})

test('the clock of due times moves forward, and answers its time', async () => {
  const answer = await call('/local/clock/advance', { seconds: 3600 })
  expect(answer.status).toBe(200)
  expect(Date.parse(answer.body.now) - Date.now()).toBeGreaterThan(3_500_000)
  expect((await call('/local/clock/advance', { seconds: -1 })).status).toBe(400)
})
