/** Deliveries of the whole local service: what integrations would send to vendors arrives in the local inbox. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Service, seed, startService } from '../../local/service.ts'
import { browserTimeoutMs, hasChromium, launchChromium, titleInBrowser } from '../support/chromium.ts'
import { fullConfigs, type Type } from '../support/integrations.ts'

let service: Service
let key = ''
beforeAll(async () => {
  service = await startService({ port: 0, tableName: process.env.TABLE_NAME ?? '' })
  key = (await seed(service))[1]?.api_keys.full_admin ?? ''
})
afterAll(() => service.close())

const call = async (path: string, body?: object, method = 'POST') => {
  const response = await fetch(`${service.url}${path}`, {
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body ? { method, body: JSON.stringify(body) } : {}),
  })
  return { status: response.status, body: JSON.parse(await response.text()) }
}
const inbox = async (type: string) => (await call(`/local/inbox.json?type=${type}`)).body.data

const pageOf = async (type: string) => (await fetch(`${service.url}/local/inbox?type=${type}`)).text()
/** The page as a reader without a browser sees it: no style, no tags, no raw request. */
const shownOf = async (type: string) =>
  (await pageOf(type))
    .replaceAll(/<style>.*?<\/style>|<details>.*?<\/details>|<[^>]*>/gs, ' ')
    .replaceAll(/&#(\d+);/g, (_all, code) => String.fromCharCode(Number(code)))
    .replaceAll(/\s+/g, ' ')

/** What people see of the event there, in this order. */
const asPeopleSee = {
  slack: [/Octomil #alerts api_key\.created What: api_key\.created Resource: api_key key for slack/],
  microsoft_teams: [/api_key\.created What: api_key\.created Resource: api_key key for microsoft_teams/],
  pagerduty: [/error api_key\.created: api_key key for pagerduty Client Octomil/, /Changes name: \(none\) → key/],
  opsgenie: [/P2 api_key\.created: api_key key for opsgenie What: api_key\.created/],
  datadog: [/info \S+Z octomil-settings-api api_key\.created: api_key key for datadog env:prod,team:ml/],
  email: [
    /From settings@octomil\.localhost To ops@acme\.io, sre@acme\.io Reply-To desk@acme\.io/,
    /Subject \[Octomil\] api_key\.created: api_key key for email What: api_key\.created/,
  ],
}
const vendors = ['slack', 'microsoft_teams', 'pagerduty', 'opsgenie', 'datadog', 'email'] as const satisfies Type[]

test.each(vendors)('%s gets an event, with every secret masked', async (type) => {
  const config = fullConfigs[type]
  const made = await call('/api/v2/settings/integrations', {
    type,
    name: type,
    config,
    event_types: ['api_key.created'],
  })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  await call('/api/v2/settings/api-keys', { name: `key for ${type}`, scopes: ['keys:read'] })
  await vi.waitFor(async () => expect(await inbox(type)).toHaveLength(1), { timeout: 20_000, interval: 50 })
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
  const shown = await shownOf(type)
  for (const pattern of asPeopleSee[type]) expect(shown).toMatch(pattern)
  await call(`/api/v2/settings/integrations/${made.body.id}`, { enabled: false }, 'PATCH')
})

test('the page of a type has its entries only, and links to the others', async () => {
  const page = await pageOf('slack')
  expect(page.match(/<h2>\w+/g)).toEqual(['<h2>slack'])
  for (const type of vendors) expect(page).toContain(`<a href="/local/inbox?type=${type}"`)
  expect(page).toContain('aria-current="page">slack 1<')
})

test('text of others stays text: the page has no script, and its policy allows none', async () => {
  const name = '<script>alert(1)</script>&lt;"x"'
  const slack = { type: 'slack', name: 'again', config: fullConfigs.slack, event_types: ['api_key.created'] }
  await call('/api/v2/settings/integrations', slack)
  await call('/api/v2/settings/api-keys', { name, scopes: ['keys:read'] })
  await vi.waitFor(async () => expect(await inbox('slack')).toHaveLength(2), { timeout: 20_000, interval: 50 })
  const response = await fetch(`${service.url}/local/inbox`)
  const page = await response.text()
  expect(page).not.toContain('<script')
  expect(await shownOf('slack')).toContain(`Resource: api_key ${name}`)
  expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'unsafe-inline';/)
})

test('an hour later on that clock, the next events get a checkpoint', async () => {
  const path = '/api/v2/settings/audit-events/checkpoints'
  const checkpoints = async () => (await call(path)).body.data.length
  await vi.waitFor(async () => expect(await checkpoints()).toBe(1), { timeout: 20_000, interval: 50 })
  await call('/api/v2/settings/api-keys', { name: 'unsigned', scopes: ['keys:read'] })
  await vi.waitFor(async () => {
    const { data } = (await call('/api/v2/settings/audit-events?limit=1')).body
    expect(data[0].sealed).toBeGreaterThan(1)
  }, 10_000)
  expect(await checkpoints()).toBe(1)
  await call('/local/clock/advance', { seconds: 3601 })
  await call('/api/v2/settings/api-keys', { name: 'due', scopes: ['keys:read'] })
  await vi.waitFor(async () => expect(await checkpoints()).toBe(2), { timeout: 20_000, interval: 50 })
})

test('the clock of due times moves forward, and answers its time', async () => {
  const answer = await call('/local/clock/advance', { seconds: 3600 })
  expect(answer.status).toBe(200)
  expect(Date.parse(answer.body.now) - Date.now()).toBeGreaterThan(3_500_000)
  expect((await call('/local/clock/advance', { seconds: -1 })).status).toBe(400)
})

describe('a webhook whose URL is the inbox', () => {
  const firstSecret = 'a-signing-secret-0123456789'
  const verdictsOf = async () => (await pageOf('webhook')).match(/signature (?:valid|wrong|not checked)/g)
  let id = ''
  beforeAll(async () => {
    const config = { url: `${service.url}/local/inbox/webhook`, signing_secret: firstSecret }
    const made = await call('/api/v2/settings/integrations', {
      type: 'webhook',
      name: 'hook',
      config,
      event_types: ['billing.*'],
    })
    id = made.body.id
  })
  const send = () => call(`/api/v2/settings/integrations/${id}/test`, {})

  test('has a valid signature, and entries of the JSON keep their members', async () => {
    expect((await send()).body).toMatchObject({ success: true, status_code: 202 })
    expect(await verdictsOf()).toEqual(['signature valid'])
    const [entry] = await inbox('webhook')
    expect(Object.keys(entry)).toEqual(['type', 'integration_id', 'received_at', 'method', 'url', 'headers', 'body'])
    expect([entry.integration_id, entry.body.type]).toEqual([id, 'integration.test'])
    expect(JSON.stringify(entry) + (await pageOf('webhook'))).not.toContain(firstSecret)
    expect(await shownOf('webhook')).toMatch(/Type integration\.test Timestamp \d{4}-/)
  })

  test('that anyone else wrote is wrong, and not checked for an unknown integration', async () => {
    const [{ headers, body }] = await inbox('webhook')
    const repeat = (integration: string, changes: object) =>
      fetch(`${service.url}/local/inbox/webhook`, {
        method: 'POST',
        headers: {
          ...{ 'webhook-id': headers['webhook-id'], 'webhook-timestamp': headers['webhook-timestamp'] },
          ...{ 'webhook-signature': headers['webhook-signature'], 'octomil-integration-id': integration },
        },
        body: JSON.stringify({ ...body, ...changes }),
      })
    await repeat(id, {})
    await repeat(id, { type: 'api_key.created' })
    await repeat('int_01jd3v7k3q9x5m2n8r4t6w0y1z', {})
    expect(await verdictsOf()).toEqual([
      ...['signature not checked', 'signature wrong', 'signature valid', 'signature valid'],
    ])
  })

  test('is checked with the replaced secret too, while that lives on', async () => {
    const [, , , { headers, body }] = await inbox('webhook')
    const patched = await call(
      `/api/v2/settings/integrations/${id}`,
      { config: { signing_secret: 'another-secret-0123456789' } },
      'PATCH',
    )
    expect(patched.status).toBe(200)
    const old = { 'webhook-signature': headers['webhook-signature'], 'octomil-integration-id': id }
    const repeat = () =>
      fetch(`${service.url}/local/inbox/webhook`, {
        method: 'POST',
        headers: { ...old, 'webhook-id': headers['webhook-id'], 'webhook-timestamp': headers['webhook-timestamp'] },
        body: JSON.stringify(body),
      })
    await repeat()
    await send()
    expect((await verdictsOf())?.slice(0, 2)).toEqual(['signature valid', 'signature valid'])
    await call('/local/clock/advance', { seconds: 86_401 })
    await repeat()
    expect((await verdictsOf())?.[0]).toBe('signature wrong')
  })
})

test.skipIf(!hasChromium)(
  titleInBrowser('the page fits a desktop and a phone, and HTML of a mail runs no script'),
  { timeout: browserTimeoutMs },
  async () => {
    const markup = '<h1>Hello</h1><script>document.body.textContent = "ran"</script>'
    const Content = { Simple: { Subject: { Data: 'Page' }, Body: { Html: { Data: markup } } } }
    await call('/local/inbox/email', { FromEmailAddress: 'a@b.example', Content })
    const browser = await launchChromium()
    try {
      for (const width of [1280, 390]) {
        const page = await browser.newPage({ viewport: { width, height: 900 } })
        await page.goto(`${service.url}/local/inbox`)
        for (const summary of await page.locator('summary').all()) await summary.click()
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
        expect(await page.frameLocator('iframe').locator('body').innerText()).toBe('Hello')
      }
    } finally {
      await browser.close()
    }
  },
)
