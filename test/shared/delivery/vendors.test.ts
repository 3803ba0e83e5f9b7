/** Requests to vendors, against the schemas and limits that they publish. */
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { emailOf } from '../../../shared/delivery/email.ts'
import { renderEvent } from '../../../shared/delivery/event.ts'
import { datadog, email, microsoft_teams, opsgenie, pagerduty, slack } from './published-schemas.ts'
import { configs, event, eventWith, requestFor, sent } from './sample.ts'

const ajv = new Ajv({ allErrors: true, strict: false })

/** The faults of a value by a published schema. */
function faults(schema: object, value: unknown): unknown[] {
  const check = ajv.compile(schema)
  check(value)
  return check.errors ?? []
}

const many = {
  ...eventWith('x'.repeat(5000)),
  changes: Array.from({ length: 500 }, () => ({ field: 'x'.repeat(300) })),
}
const vendorSchemas = { slack, microsoft_teams, pagerduty, opsgenie, datadog }
const jsonTypes = ['slack', 'microsoft_teams', 'pagerduty', 'opsgenie', 'datadog'] as const

describe.each(jsonTypes)('%s', (type) => {
  test.each([
    ['a usual event', event],
    ['an event of many and long texts', many],
    ['an event of texts that grow when they are escaped', eventWith('<&>'.repeat(2000))],
    [
      'an event with only the required fields',
      {
        ...event,
        actor: { type: 'system' as const, id: 'system' },
        resource: { type: 'billing' as const },
        changes: [],
      },
    ],
  ])('%s meets the published schema', (_title, of) => {
    expect(faults(vendorSchemas[type], sent(type, { of }).json())).toEqual([])
  })

  test('a request under another base address keeps its path', () => {
    const plain = new URL(sent(type).url)
    const { url } = sent(type, { options: { baseUrls: { [type]: 'http://127.0.0.1:4000/inbox/' } } })
    expect(url).toBe(`http://127.0.0.1:4000/inbox${plain.pathname}${plain.search}`)
  })

  test('each attempt sends the same bytes', () => {
    const later = sent(type, { options: { now: new Date('2027-01-01') } })
    expect(later.text).toBe(sent(type).text)
  })
})

test.each(Object.keys(configs) as (keyof typeof configs)[])('printing a request of %s shows no secret', (type) => {
  const printed = JSON.stringify(requestFor(type))
  for (const value of Object.values(configs[type])) {
    const secrets = typeof value === 'object' && value !== null && 'reveal' in value ? [value] : []
    for (const secret of secrets as { reveal(): string }[]) expect(printed).not.toContain(secret.reveal())
  }
  expect(printed).toContain('[secret]')
})

test('slack posts to the channel', () => {
  expect(sent('slack').url).toBe('https://hooks.slack.com/services/T0/B0/kJ8sLw2mQz71')
  expect(sent('slack').json()).toMatchObject({ channel: '#alerts', text: 'api_key.created: api_key deploy' })
})

test.each([
  ['us', 'https://events.pagerduty.com/v2/enqueue'],
  ['eu', 'https://events.eu.pagerduty.com/v2/enqueue'],
  [undefined, 'https://events.pagerduty.com/v2/enqueue'],
])('pagerduty of region %s is called at %s, without repeating an event', (region, url) => {
  const request = sent('pagerduty', { config: { region } })
  expect(request.url).toBe(url)
  expect(request.json()).toMatchObject({
    routing_key: 'R02ABCDEF3GHIJKLMN4OPQRSTU5VWX6Y',
    dedup_key: event.id,
    payload: { severity: 'error', timestamp: event.timestamp },
  })
})

test.each([
  ['us', 'https://api.opsgenie.com/v2/alerts'],
  ['eu', 'https://api.eu.opsgenie.com/v2/alerts'],
  [undefined, 'https://api.opsgenie.com/v2/alerts'],
])('opsgenie of region %s is called at %s', (region, url) => {
  const request = sent('opsgenie', { config: { region } })
  expect(request.url).toBe(url)
  expect(request.headers.authorization).toBe('GenieKey 6b1f4c2a-93d7-4e58')
  expect(request.json()).toMatchObject({ alias: event.id, priority: 'P2' })
})

test('datadog is called at the intake of its site, with the event and the tags', () => {
  const { url, headers, json } = sent('datadog')
  expect(url).toBe('https://http-intake.logs.datadoghq.eu/api/v2/logs')
  expect(headers['dd-api-key']).toBe('9775a026f1ca7d1c6c5af9d94d9595a4')
  expect(json()).toMatchObject([{ ddtags: 'env:prod,a:b', octomil: event, status: 'info' }])
  expect(sent('datadog', { config: { site: undefined } }).url).toContain('//http-intake.logs.datadoghq.com/')
})

test('mail is the input of SendEmail, its subject one line', () => {
  const config = { recipients: ['ops@acme.io', 'sre@bücher.example'], reply_to: 'desk@acme.io' }
  const mail = emailOf(config, renderEvent(eventWith('a\r\nBcc: x@y.z\u2028b')), 'alerts@octomil.test')
  expect(faults(email, mail)).toEqual([])
  expect(mail).toMatchObject({
    FromEmailAddress: 'alerts@octomil.test',
    Destination: { ToAddresses: ['ops@acme.io', 'sre@xn--bcher-kva.example'] },
    ReplyToAddresses: ['desk@acme.io'],
  })
  expect(mail.Content.Simple.Subject.Data).toBe('[Octomil] api_key.created: api_key a Bcc: x@y.z b')
})

describe('siem', () => {
  const line = (format: string, of = event) => sent('siem', { config: { format }, of }).text

  test('json is the event, with the token as bearer', () => {
    const { headers, json } = sent('siem')
    expect(json()).toEqual(event)
    expect(headers).toMatchObject({ authorization: 'Bearer tok-51c8d2', 'content-type': 'application/json' })
  })

  test('CEF escapes pipes in its header, and equals signs and line breaks in its extension', () => {
    const written = line('cef', eventWith('a=b|c\\d\ne'))
    expect(written).toMatch(
      /^CEF:0\|Octomil\|Settings API\|1\.0\|api_key\.created\|api_key\.created\|3\|rt=1772443800250 /,
    )
    expect(written).toContain('suid=a\\=b|c\\\\d\\ne ')
    expect(written).not.toContain('\n')
  })

  test('LEEF keeps its attributes apart', () => {
    const written = line('leef', eventWith('a\tsrc=1.2.3.4\nb'))
    const [header, attributes] = [
      written.slice(0, written.lastIndexOf('|x09|')),
      written.slice(written.indexOf('|x09|') + 5),
    ]
    expect(header).toBe('LEEF:2.0|Octomil|Settings API|1.0|api_key.created')
    const keys = attributes.split('\t').map((pair) => pair.slice(0, pair.indexOf('=')))
    expect(keys).toEqual([
      ...['devTime', 'devTimeFormat', 'cat', 'sev', 'usrName', 'src', 'resource', 'outcome', 'eventUid', 'event'],
    ])
    expect(attributes).not.toContain('\n')
  })
})
