import { createServer } from 'node:http'
import net from 'node:net'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { fullConfigs, integrationsOf, makeOrgOn, moveToPlan, type Type, types } from '../../support/integrations.ts'
import type { TestOrg } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { allRows, type StoredRow } from '../../support/rows.ts'

let org: TestOrg
let on: ReturnType<typeof integrationsOf>
beforeAll(async () => {
  org = await makeOrgOn('enterprise')
  on = integrationsOf(org)
})
afterEach(() => {
  vi.restoreAllMocks()
})

interface Check {
  field: string
  level: string
  code: string
  message: string
}

/** The verdict on a new integration with this configuration. */
async function verdictOn(type: Type, config: object): Promise<{ valid: boolean; checks: Check[] }> {
  const { id } = await on.make(type, config)
  const { status, body, text } = await on.validate(id)
  expect(status, text).toBe(200)
  expect(Object.keys(body).sort()).toEqual(['checks', 'live_connectivity', 'valid'])
  expect(body.live_connectivity).toBe('not_tested')
  for (const check of body.checks) {
    expect(check).toEqual({
      field: expect.stringMatching(/^(?:enabled|type|config\.[a-z_.]+)$/),
      level: expect.stringMatching(/^(?:ok|warning|error)$/),
      code: expect.any(String),
      message: expect.stringMatching(/\S/),
    })
  }
  expect(body.valid).toBe(body.checks.every(({ level }: Check) => level !== 'error'))
  return body
}
const of = (checks: Check[], field: string) => checks.filter((check) => check.field === field)

describe('validating an integration', () => {
  test('answers the same without a body, with {} and with a key that only reads', async () => {
    const { id } = await on.make('slack')
    const answers = [
      await on.validate(id),
      await on.validate(id, {}),
      await on.validate(id, {}, { token: org.readOnlyKey }),
    ]
    for (const { status, body } of answers) {
      expect(status).toBe(200)
      expect(body).toEqual({ valid: true, checks: expect.any(Array), live_connectivity: 'not_tested' })
      expect(body).toEqual(answers[0]?.body)
    }
  })

  test('a body with a field is 400 and named', async () => {
    const { id } = await on.make('slack')
    const response = await on.validate(id, { live: true })
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual(['live'])
  })

  test.each(types)('%s with a whole configuration is valid, each field ok', async (type) => {
    const { valid, checks } = await verdictOn(type, fullConfigs[type])
    expect(valid).toBe(true)
    expect(checks.map(({ field }) => field)).toEqual(Object.keys(fullConfigs[type]).map((name) => `config.${name}`))
    for (const check of checks) expect(check).toMatchObject({ level: 'ok', code: 'ok' })
  })

  test.each([
    ['slack', ['webhook_url'], []],
    ['microsoft_teams', ['webhook_url'], []],
    ['pagerduty', ['routing_key'], ['severity']],
    ['opsgenie', ['api_key'], ['region', 'priority']],
    ['email', ['recipients'], []],
    ['webhook', ['url', 'signing_secret'], []],
    ['datadog', ['api_key'], ['site']],
    ['opentelemetry', ['endpoint', 'protocol'], []],
    ['siem', ['endpoint', 'format'], ['token']],
  ] as const)(
    '%s without a configuration is told %j missing, and %j better set, each with what to do',
    async (type, required, recommended) => {
      const { valid, checks } = await verdictOn(type, {})
      expect(valid).toBe(false)
      const told = (level: string) => checks.filter((check) => check.level === level)
      expect(told('error').map(({ field }) => field)).toEqual(required.map((name) => `config.${name}`))
      expect(told('warning').map(({ field }) => field)).toEqual(recommended.map((name) => `config.${name}`))
      for (const { code, message } of told('error')) {
        expect(code).toBe('missing_field')
        expect(message).toMatch(/copy|choose|name|create|add|set/)
      }
      for (const { code } of told('warning')) expect(code).toBe('missing_recommended')
      expect(new Set(told('error').map(({ message }) => message)).size).toBe(required.length)
    },
  )

  test.each(types)('config_valid of %s in record and list is the verdict, at each step of filling it', async (type) => {
    const { id } = await on.make(type, {})
    for (const [field, value] of Object.entries(fullConfigs[type])) {
      const { body } = await on.patch(id, { config: { [field]: value } })
      expect(body.config_valid).toBe((await on.validate(id)).body.valid)
      expect((await on.list({ limit: '1' })).body.data[0]).toMatchObject({ id, config_valid: body.config_valid })
    }
    expect((await on.validate(id)).body.valid).toBe(true)
  })

  test('without only recommended fields it is valid with a warning', async () => {
    const { routing_key } = fullConfigs.pagerduty
    const { valid, checks } = await verdictOn('pagerduty', { routing_key })
    expect(valid).toBe(true)
    expect(of(checks, 'config.severity')).toEqual([
      {
        field: 'config.severity',
        level: 'warning',
        code: 'missing_recommended',
        message: expect.stringContaining('critical'),
      },
    ])
  })

  test.each([
    ['webhook', 'url', 'https://acme.io/hook?key=your-api-key'],
    ['webhook', 'url', 'https://example.com/hook'],
    ['webhook', 'url', 'https://hooks.example.org/'],
    ['webhook', 'url', 'https://acme.io/<token>'],
    ['webhook', 'url', 'https://acme.io/{token}'],
    ['webhook', 'signing_secret', 'change-me-change-me'],
    ['webhook', 'signing_secret', 'YOUR_SECRET_OF_16_CHARACTERS'],
    ['webhook', 'signing_secret', 'aaaaaaaaaaaaaaaa'],
    ['webhook', 'headers', { 'X-Real': 'f81d4fae7dec', Authorization: 'Bearer <token>' }],
    ['webhook', 'headers', { Authorization: 'your-token' }],
    ['slack', 'webhook_url', 'https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX'],
    ['pagerduty', 'routing_key', '0'.repeat(32)],
    ['pagerduty', 'routing_key', 'YOURAPIKEYYOURAPIKEYYOURAPIKEY00'],
    ['opsgenie', 'api_key', 'your-api-key'],
    ['opsgenie', 'api_key', '00000000-0000-0000-0000-000000000000'],
    ['datadog', 'api_key', '00000000000000000000000000000000'],
    ['datadog', 'api_key', '12345678901234567890123456789012'],
    ['email', 'recipients', ['ops@acme.io', 'ops@example.com']],
    ['email', 'reply_to', 'me@example.org'],
    ['opentelemetry', 'endpoint', 'https://otel.example.com:4318'],
  ] as const)('%s %s %j is warned of as a stand-in', async (type, field, value) => {
    const { valid, checks } = await verdictOn(type, { ...fullConfigs[type], [field]: value })
    expect(valid).toBe(true)
    const [check, ...more] = of(checks, `config.${field}`)
    expect(more).toEqual([])
    expect(check).toMatchObject({ level: 'warning', code: 'placeholder' })
    for (const other of checks.filter((each) => each !== check)) expect(other).toMatchObject({ level: 'ok' })
  })

  test.each(['http://otel.acme.io:4318', 'HTTP://otel.acme.io:4318'])(
    'the endpoint %s is warned of as unencrypted',
    async (endpoint) => {
      const { valid, checks } = await verdictOn('opentelemetry', { ...fullConfigs.opentelemetry, endpoint })
      expect(valid).toBe(true)
      expect(of(checks, 'config.endpoint')).toMatchObject([{ level: 'warning', code: 'insecure_transport' }])
    },
  )

  test('one that is switched off is warned of, and valid all the same', async () => {
    const { id } = await on.make('slack')
    await on.patch(id, { enabled: false })
    const { body } = await on.validate(id)
    expect(body.valid).toBe(true)
    expect(of(body.checks, 'enabled')).toEqual([
      { field: 'enabled', level: 'warning', code: 'disabled', message: expect.stringContaining('enabled') },
    ])
    await on.patch(id, { enabled: true })
    expect(of((await on.validate(id)).body.checks, 'enabled')).toEqual([])
  })

  test.each(['webhook', 'siem'] as const)(
    '%s is not valid once its plan is gone, and valid again with it',
    async (type) => {
      const own = await makeOrgOn('enterprise')
      const { id } = await integrationsOf(own).make(type)
      const typeChecks = async () => {
        const { body } = await integrationsOf(own).validate(id)
        return { valid: body.valid, checks: of(body.checks, 'type') }
      }
      await moveToPlan(own, 'free')
      const message = expect.stringMatching(/plan/)
      const missing = { field: 'type', level: 'error', code: 'plan_feature_missing', message }
      expect(await typeChecks()).toEqual({ valid: false, checks: [missing] })
      await moveToPlan(own, 'enterprise')
      expect(await typeChecks()).toEqual({ valid: true, checks: [] })
    },
  )

  test('email is not valid on a stage without a mail sender', async () => {
    const { id } = await on.make('email')
    vi.stubEnv('MAIL_SENDER', undefined)
    const { body } = await on.validate(id)
    vi.unstubAllEnvs()
    const message = expect.stringMatching(/mail sender/)
    expect(body.valid).toBe(false)
    expect(of(body.checks, 'type')).toEqual([{ field: 'type', level: 'error', code: 'no_mail_sender', message }])
    expect((await on.validate(id)).body.valid).toBe(true)
  })

  test('a stand-in that is replaced by the real value is warned of no more', async () => {
    const { id } = await on.make('opsgenie', { ...fullConfigs.opsgenie, api_key: 'your-api-key' })
    await on.patch(id, { config: { api_key: fullConfigs.opsgenie.api_key } })
    expect(of((await on.validate(id)).body.checks, 'config.api_key')).toMatchObject([{ level: 'ok' }])
  })

  test('a value that is made to be slow to look at costs no time', async () => {
    const started = performance.now()
    await verdictOn('webhook', { url: `https://acme.io/<${'a-'.repeat(1000)}x` })
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

describe('validating touches nothing', () => {
  test('opens no connection except to the table, for any type', async () => {
    const receiver = createServer((_request, response) => response.end())
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
    const { port } = receiver.address() as net.AddressInfo
    const ids: string[] = []
    for (const type of types) ids.push((await on.make(type)).id)
    const tablePort = new URL(process.env.AWS_ENDPOINT_URL_DYNAMODB ?? '').port
    const fetched = vi.spyOn(globalThis, 'fetch')
    const connected = vi.spyOn(net.Socket.prototype, 'connect')
    const elsewhere = () => connected.mock.calls.map(portOf).filter((to) => to !== tablePort)
    try {
      for (const id of ids) expect((await on.validate(id)).status).toBe(200)
      expect(elsewhere()).toEqual([])
      expect(fetched).not.toHaveBeenCalled()
      // What watches does see a connection when there is one.
      await new Promise((resolve) => net.connect(port, '127.0.0.1', () => resolve(undefined)))
      expect(elsewhere()).toEqual([String(port)])
    } finally {
      receiver.close()
      receiver.closeAllConnections()
    }
  })

  test('no row changes but those that count and remember requests, and no event is appended', async () => {
    const ids: string[] = []
    for (const type of types) ids.push((await on.make(type, type === 'slack' ? {} : fullConfigs[type])).id)
    const isOwn = ({ pk, sk }: StoredRow) => /RATE|IDEM/.test(`${pk}#${sk}`)
    const before = await allRows()
    for (const id of ids) await on.validate(id, {}, { headers: { 'idempotency-key': id } })
    const after = await allRows()
    const stable = (rows: StoredRow[]) =>
      rows.filter((row) => !isOwn(row)).map(({ last_used_at: _used, ...row }) => row)
    expect(stable(after)).toEqual(stable(before))
    expect(after.length).toBeGreaterThan(before.length)
  })
})

const portOf = ([options]: unknown[]): string => {
  const first = Array.isArray(options) ? options[0] : options
  return String(typeof first === 'object' && first !== null ? (first as { port?: unknown }).port : first)
}
