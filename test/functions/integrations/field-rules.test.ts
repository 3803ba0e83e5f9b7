/** What each field of each type takes and refuses, on create and on patch alike. */
import { beforeAll, describe, expect, test } from 'vitest'
import { faultOf, integrationsOf, makeOrgOn, type Type } from '../../support/integrations.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'

let on: ReturnType<typeof integrationsOf>
/** An empty integration of each type, to patch. */
const empty: Partial<Record<Type, string>> = {}
beforeAll(async () => {
  // As deployed: a stage allows no private ranges unless it names them.
  process.env.OUTBOUND_ALLOWED_CIDRS = ''
  on = integrationsOf(await makeOrgOn('enterprise'))
})

async function emptyOf(type: Type): Promise<string> {
  empty[type] ??= (await on.make(type, {})).id
  return empty[type]
}

const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))
const addresses = (count: number) => many(count, (index) => `ops${index}@acme.io`)
const tags = (count: number) => many(count, (index) => `key${index}:value`)
const headers = (count: number) => Object.fromEntries(many(count, (index) => [`X-${index}`, 'value']))
const hex32 = '0a1b2c3d4e5f60718293a4b5c6d7e8f9'

const good: [Type, string, unknown[]][] = [
  [
    'slack',
    'webhook_url',
    [
      'https://hooks.slack.com/services/T1/B2/c3',
      'https://hooks.slack.com/workflows/T1/A2/3/c4',
      'https://HOOKS.SLACK.COM/services/T1/B2/c3',
      'https://hooks.slack.com:443/services/T1',
    ],
  ],
  ['slack', 'channel', ['#alerts', '@ana', 'C024BE91L', '#größe-1', 'x'.repeat(80)]],
  [
    'microsoft_teams',
    'webhook_url',
    [
      'https://acme.webhook.office.com/webhookb2/1',
      'https://prod-7.westeurope.logic.azure.com:443/workflows/1?sig=2',
      'https://default1.2.environment.api.powerplatform.com:443/powerautomate/1?sig=2',
    ],
  ],
  ['pagerduty', 'routing_key', ['a'.repeat(31).concat('Z'), hex32]],
  ['pagerduty', 'severity', ['critical', 'error', 'warning', 'info']],
  ['opsgenie', 'api_key', ['6b1f4c2a-93d7-4e58-8f0b-2d7c5a91e3f4']],
  ['opsgenie', 'region', ['us', 'eu']],
  ['opsgenie', 'priority', ['P1', 'P2', 'P3', 'P4', 'P5']],
  ['email', 'recipients', [addresses(1), addresses(50), ["o'neil+x@sub.acme.io"]]],
  ['email', 'reply_to', ['desk@acme.io']],
  [
    'webhook',
    'url',
    [
      'https://acme.io',
      'https://acme.io:8443/a?b=c#d',
      'https://8.8.8.8/hook',
      'https://[2606:4700::1111]/hook',
      'https://xn--bcher-kva.example/hook',
      `https://acme.io/${'x'.repeat(2032)}`,
    ],
  ],
  ['webhook', 'signing_secret', ['x'.repeat(15).concat('y'), 'with spaces and ünïcode', 'x'.repeat(1024)]],
  ['webhook', 'headers', [{}, headers(10), { 'X!#$%&': 'a b\tc~' }, { a: 'x'.repeat(1024) }]],
  ['datadog', 'api_key', [hex32, hex32.toUpperCase()]],
  [
    'datadog',
    'site',
    [
      ...['datadoghq.com', 'us3.datadoghq.com', 'us5.datadoghq.com', 'datadoghq.eu', 'ap1.datadoghq.com'],
      ...['ap2.datadoghq.com', 'ddog-gov.com'],
    ],
  ],
  ['datadog', 'tags', [[], tags(20), ['env:prod', 'team:ml/ops', 'url:a:b']]],
  [
    'opentelemetry',
    'endpoint',
    ['http://otel.acme.io:4318', 'https://otel.acme.io/v1/traces', 'https://otel.acme.io:4317'],
  ],
  ['opentelemetry', 'protocol', ['grpc', 'http/protobuf', 'http/json']],
  ['opentelemetry', 'headers', [headers(10)]],
]

describe('a value of the right shape is taken, on create and on patch', () => {
  test.each(good)('%s %s', async (type, field, values) => {
    for (const value of values) {
      const config = { [field]: value }
      const created = await on.create({ type, name: 'good', config })
      expect(created.status, `${JSON.stringify(value)}: ${created.text}`).toBe(201)
      expect(Object.keys(created.body.config)).toEqual([field])
      const patched = await on.patch(await emptyOf(type), { config })
      expect(patched.status, `${JSON.stringify(value)}: ${patched.text}`).toBe(200)
      expect(patched.body.config[field]).toEqual(created.body.config[field])
      // Headers are merged: each map is tried on none.
      if (field === 'headers') await on.patch(await emptyOf(type), { config: { headers: null } })
    }
  })

  test.each(['constructor', 'toString', 'hasOwnProperty'])(
    'a header named %s, as every object has something',
    async (name) => {
      const { status, body } = await on.create({
        type: 'webhook',
        name: 'x',
        config: { headers: { [name]: 'value-of-header' } },
      })
      expect(status).toBe(201)
      expect(body.config.headers).toEqual({ [name]: '…ader' })
      expect((await on.get(body.id)).body).toEqual(body)
    },
  )
})

/** Addresses that no URL may name, each as text before the path. */
const forbiddenHosts = [
  ...[
    '127.0.0.1',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '0.0.0.0',
    '100.64.0.1',
  ],
  ...['0177.0.0.1', '0x7f.0.0.1', '0x7f000001', '2130706433', '127.1', '017700000001', '127.0.0.1.', '2852039166'],
  ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:a9fe:a9fe]', '[fd00:ec2::254]', '[fe80::1]', '[64:ff9b::7f00:1]'],
  ...['[2002:7f00:1::]', '[2001:0:1::1]', '[2001:db8::1]', '[ff02::1]'],
  ...['192.0.2.1', '198.51.100.1', '203.0.113.1', '198.18.0.1', '224.0.0.1', '255.255.255.255', '240.0.0.1'],
  ...['localhost', 'api.localhost', 'LOCALHOST', '１２７.0.0.1'],
]

/** Values of the wrong shape, with what the message must say of the rule. */
const bad: [Type, string, RegExp, unknown[]][] = [
  [
    'slack',
    'webhook_url',
    /hooks\.slack\.com/,
    [
      'https://hooks.slack.com',
      'https://hooks.slack.com/',
      'https://slack.com/services/T1',
      'https://hooks.slack.com.attacker.example/services/T1',
      'https://evilhooks.slack.com/services/T1',
      'https://attacker.example/hooks.slack.com/services/T1',
      'https://attacker.example/?https://hooks.slack.com/services/T1',
      'https://attacker.example#@hooks.slack.com/services/T1',
    ],
  ],
  [
    'slack',
    'webhook_url',
    /https:\/\//,
    ['http://hooks.slack.com/services/T1', 'ftp://hooks.slack.com/s/T1', '//hooks.slack.com/s'],
  ],
  ['slack', 'webhook_url', /user name or password/, ['https://hooks.slack.com@attacker.example/services/T1']],
  [
    'slack',
    'webhook_url',
    /whole URL/,
    ['hooks.slack.com/services/T1', '', 'https://', 'https://[::1/', 'https://a b/'],
  ],
  ['slack', 'webhook_url', /must be text/, [7, true, {}, ['https://hooks.slack.com/services/T1']]],
  ['slack', 'webhook_url', /2048/, [`https://hooks.slack.com/${'x'.repeat(2048)}`]],
  ['slack', 'channel', /channel/, ['', '#', 'two words', '#a,b', '<!channel>', 'x'.repeat(81), '#a\n']],
  [
    'microsoft_teams',
    'webhook_url',
    /webhook\.office\.com.*logic\.azure\.com.*powerplatform\.com/,
    [
      'https://evilwebhook.office.com/webhookb2/1',
      'https://evilwebhook.office.com.attacker.example/webhookb2/1',
      'https://acme.webhook.office.com.attacker.example/1',
      'https://outlook.office.com/webhook/1',
      'https://xlogic.azure.com/1',
      'https://powerplatform.com.attacker.example/1',
      'https://attacker.example/acme.webhook.office.com',
      'https://office.com/1',
    ],
  ],
  ['microsoft_teams', 'webhook_url', /https:\/\//, ['http://acme.webhook.office.com/1']],
  ['microsoft_teams', 'webhook_url', /user name/, ['https://acme.webhook.office.com@attacker.example/1']],
  [
    'pagerduty',
    'routing_key',
    /32/,
    ['', 'a'.repeat(31), 'a'.repeat(33), `${'a'.repeat(31)}-`, ` ${'a'.repeat(31)}`, `${hex32}\n`],
  ],
  ['pagerduty', 'routing_key', /must be text/, [Number.MAX_SAFE_INTEGER, [hex32]]],
  ['pagerduty', 'severity', /critical.*error.*warning.*info/, ['', 'fatal', 'CRITICAL', 1]],
  ['opsgenie', 'api_key', /8 to 256/, ['', 'short', 'with spaces in it', 'x'.repeat(257), 'tab\tinside']],
  ['opsgenie', 'region', /us.*eu/, ['', 'EU', 'de', 7]],
  ['opsgenie', 'priority', /P1.*P5/, ['', 'P0', 'P6', 'p1', 1]],
  ['email', 'recipients', /1/, [[]]],
  ['email', 'recipients', /50/, [addresses(51)]],
  ['email', 'recipients', /must be a list/, ['ops@acme.io', { 0: 'ops@acme.io' }]],
  [
    'email',
    'reply_to',
    /e-mail address/,
    [
      '',
      'ops',
      'ops@',
      '@acme.io',
      'a b@acme.io',
      'Ops <ops@acme.io>',
      'a@b@c.io',
      'a@acme.io\n',
      'a@acme.io\r\nBcc: x@y.io',
    ],
  ],
  [
    'webhook',
    'url',
    /https:\/\//,
    ['http://acme.io/hook', 'javascript:alert(1)', 'file:///etc/passwd', 'ws://acme.io', 'data:,x'],
  ],
  ['webhook', 'url', /whole URL/, ['', 'acme.io/hook', '/hook', 'https://', 'https://256.1.1.1/']],
  [
    'webhook',
    'url',
    /user name or password/,
    ['https://me@acme.io/', 'https://me:pass@acme.io/', 'https://:pass@acme.io/'],
  ],
  ['webhook', 'url', /port/, ['https://acme.io:0/', 'https://acme.io:22/', 'https://acme.io:25/']],
  ['webhook', 'url', /address|machine/, forbiddenHosts.map((host) => `https://${host}/hook`)],
  ['webhook', 'url', /address/, ['https://[::127.0.0.1]/hook', 'https://[::7f00:1]/hook']],
  ['webhook', 'url', /machine/, ['https://localhost./hook', 'https://api.localhost./hook']],
  ['webhook', 'signing_secret', /16/, ['', 'x'.repeat(15)]],
  ['webhook', 'signing_secret', /1024/, ['x'.repeat(1025)]],
  ['webhook', 'signing_secret', /must be text/, [1234567890123456, {}]],
  ['webhook', 'headers', /10/, [headers(11)]],
  ['webhook', 'headers', /twice/, [{ 'X-A': 'a', 'x-a': 'b' }]],
  ['webhook', 'headers', /record|object/, ['X-A: b', [], [['X-A', 'b']]]],
  [
    'datadog',
    'api_key',
    /32 hex/,
    ['', hex32.slice(1), `${hex32}0`, `${hex32.slice(1)}g`, `${hex32}\n`, hex32.concat(hex32.slice(0, 8))],
  ],
  [
    'datadog',
    'site',
    /datadoghq\.com.*datadoghq\.eu/,
    [
      '',
      'datadoghq',
      'https://datadoghq.com',
      'app.datadoghq.com',
      'us1.datadoghq.com',
      'datadoghq.com.attacker.example',
      'DATADOGHQ.COM',
    ],
  ],
  ['datadog', 'tags', /20/, [tags(21)]],
  ['datadog', 'tags', /must be a list/, ['env:prod', { env: 'prod' }]],
  ['opentelemetry', 'endpoint', /http/, ['grpc://otel.acme.io:4317', 'otel.acme.io:4317', 'unix:///tmp/x']],
  ['opentelemetry', 'endpoint', /whole URL/, ['', 'otel.acme.io', 'http://']],
  ['opentelemetry', 'endpoint', /user name or password/, ['http://me:pass@otel.acme.io:4318']],
  ['opentelemetry', 'endpoint', /port/, ['http://otel.acme.io:22']],
  [
    'opentelemetry',
    'endpoint',
    /address|machine/,
    forbiddenHosts.filter((_host, index) => index % 5 === 0).map((host) => `http://${host}:4318`),
  ],
  ['opentelemetry', 'protocol', /grpc.*http\/protobuf.*http\/json/, ['', 'http', 'GRPC', 'http/xml']],
  ['opentelemetry', 'headers', /10/, [headers(11)]],
]

/** Headers that the sender sets itself, or that belong to the connection. */
const ownHeaders = [
  ...['Content-Type', 'content-encoding', 'Content-Length', 'HOST', 'transfer-encoding', 'User-Agent', 'Expect'],
  ...['Connection', 'Keep-Alive', 'Proxy-Authorization', 'Proxy-Connection', 'TE', 'Trailer', 'Upgrade'],
  ...['webhook-id', 'Webhook-Timestamp', 'WEBHOOK-SIGNATURE', 'webhook-anything', 'Octomil-Integration-Id'],
]

type BadPart = [type: Type, field: string, rule: RegExp, path: string, values: unknown[]]

/** The same for entries of a list or a map, by the path in the answer. */
const badParts: BadPart[] = [
  [
    'email',
    'recipients',
    /e-mail address/,
    'config.recipients.1',
    ['nobody', '', 'a@b@c.io'].map((text) => ['ops@acme.io', text]),
  ],
  ['email', 'recipients', /e-mail address/, 'config.recipients.0', [[7], [null]]],
  [
    'datadog',
    'tags',
    /key:value/,
    'config.tags.1',
    ['prod', 'env:', ':prod', '1env:prod', 'a b:c', 'env:a b', `env:${'x'.repeat(200)}`].map((tag) => ['a:b', tag]),
  ],
  ['webhook', 'headers', /header name/, 'config.headers.X Y', [{ 'X Y': 'a' }]],
  ['webhook', 'headers', /header name/, 'config.headers.X:Y', [{ 'X:Y': 'a' }]],
  ['webhook', 'headers', /header name/, 'config.headers.', [{ '': 'a' }]],
  ['webhook', 'headers', /header name/, 'config.headers.X\r\nY', [{ 'X\r\nY': 'a' }]],
  ['webhook', 'headers', /header name/, 'config.headers.größe', [{ größe: 'a' }]],
  ['webhook', 'headers', /header name/, `config.headers.${'x'.repeat(65)}`, [{ ['x'.repeat(65)]: 'a' }]],
  ...(['webhook', 'opentelemetry'] as const).flatMap((type) =>
    ownHeaders.map((name): BadPart => [type, 'headers', /sender/, `config.headers.${name}`, [{ [name]: 'a' }]]),
  ),
  [
    'webhook',
    'headers',
    /1 to 1024/,
    'config.headers.X-A',
    ['', 'a\r\nX-B: c', 'a\n', 'größe', 'a\0', 'a\u007f', 'a\u2028b', 'x'.repeat(1025)].map((value) => ({
      'X-A': value,
    })),
  ],
  ['webhook', 'headers', /is the mask/, 'config.headers.X-A', [{ 'X-A': '…4711' }]],
  ['webhook', 'headers', /must be text/, 'config.headers.X-A', [{ 'X-A': 7 }, { 'X-A': ['a'] }, { 'X-A': {} }]],
  ['opentelemetry', 'headers', /header name/, 'config.headers.X Y', [{ 'X Y': 'a' }]],
  ['opentelemetry', 'headers', /1 to 1024/, 'config.headers.X-A', [{ 'X-A': 'a\r\nX-B: c' }]],
]

/** Asserts that each value is refused, and that after all of them the integration that was patched is as it was. */
async function expectRefused(type: Type, field: string, rule: RegExp, path: string, values: unknown[]): Promise<void> {
  expect(values.length).toBeGreaterThan(0)
  const before = await on.get(await emptyOf(type))
  for (const value of values) {
    const config = { [field]: value }
    const refused = [
      await on.create({ type, name: 'bad', config }),
      await on.patch(before.body.id, { name: 'bad', config }),
    ]
    for (const response of refused) {
      const shown = `${JSON.stringify(value)?.slice(0, 120)}: ${response.text}`
      expect(response.status, shown).toBe(400)
      expectProblem(response, 'invalid_input')
      expect(faultPaths(response), shown).toEqual([path])
      expect(faultOf(response, path)?.message, shown).toMatch(rule)
    }
  }
  const after = await on.get(before.body.id)
  expect(after.headers.etag, 'nothing of a refused patch is applied').toBe(before.headers.etag)
}

describe('a value of the wrong shape is 400 on create and on patch, named, with the rule', () => {
  test.each(bad.map(([type, field, rule, values]) => ({ type, field, rule, values })))(
    '$type $field, told $rule',
    ({ type, field, rule, values }) => expectRefused(type, field, rule, `config.${field}`, values),
  )

  test.each(badParts.map(([type, field, rule, path, values]) => ({ type, field, rule, path, values })))(
    '$type $path, told $rule',
    ({ type, field, rule, path, values }) => expectRefused(type, field, rule, path, values),
  )

  test('no answer repeats the value that it refuses', async () => {
    const canary = 'kJ8sLw2mQz71pXv7'
    const configs: [Type, object][] = [
      ['slack', { webhook_url: `https://attacker.example/${canary}` }],
      ['microsoft_teams', { webhook_url: `http://acme.webhook.office.com/${canary}` }],
      ['pagerduty', { routing_key: canary }],
      ['opsgenie', { api_key: `${canary} ${canary}` }],
      ['webhook', { url: `https://me:${canary}@acme.io`, headers: { 'X-A': `${canary}\n` } }],
      ['webhook', { signing_secret: { text: canary } }],
      ['datadog', { api_key: canary }],
      ['opentelemetry', { endpoint: `http://me:${canary}@acme.io`, headers: { 'X-A': `${canary}\n` } }],
    ]
    for (const [type, config] of configs) {
      const response = await on.create({ type, name: 'bad', config })
      expectProblem(response, 'invalid_input')
      expect(response.text).not.toContain(canary)
    }
  })

  test('a header that everything inherits is stored or refused, not dropped without a word', async () => {
    const rawBody = '{"type":"webhook","name":"x","config":{"headers":{"__proto__":"value-of-header"}}}'
    const response = await on.create({}, { rawBody })
    if (response.status === 201) expect(Object.keys(response.body.config.headers as object)).toEqual(['__proto__'])
    else expectProblem(response, 'invalid_input')
  })
})
