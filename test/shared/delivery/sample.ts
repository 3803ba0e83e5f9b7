/** An event and opened configurations to test the formats with. */
import { type DeliveredEvent, renderEvent } from '../../../shared/delivery/event.ts'
import { type RequestType, requestOf } from '../../../shared/delivery/formats.ts'
import { type DeliveryOptions, type OpenedConfig, revealed } from '../../../shared/delivery/request.ts'
import { Secret } from '../../../shared/secrets/secret.ts'

export const event: DeliveredEvent = {
  id: 'aud_01jd3v7k3q9x5m2n8r4t6w0y1z',
  timestamp: '2026-03-02T09:30:00.250Z',
  action: 'api_key.created',
  actor: { type: 'user', id: 'user-7', email: 'ana@acme.io' },
  resource: { type: 'api_key', id: 'key_01jd3v7k3q9x5m2n8r4t6w0y1z', name: 'deploy' },
  result: 'success',
  changes: [
    { field: 'scopes', after: ['models:read'] },
    { field: 'name', before: 'ci', after: 'deploy' },
  ],
  request_id: 'req-1',
  ip: '203.0.113.7',
  user_agent: 'curl/8',
  hash: 'ab'.repeat(32),
}

/** An event in which each text that a caller chose is `text`. */
export const eventWith = (text: string): DeliveredEvent => ({
  ...event,
  actor: { ...event.actor, id: text, email: text },
  resource: { ...event.resource, id: text, name: text },
  changes: [{ field: text, before: text, after: { [text]: text } }],
  request_id: text,
  user_agent: text,
})

export const signingSecret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

export const configs: Readonly<Record<RequestType, OpenedConfig>> = {
  slack: { webhook_url: new Secret('https://hooks.slack.com/services/T0/B0/kJ8sLw2mQz71'), channel: '#alerts' },
  microsoft_teams: { webhook_url: new Secret('https://acme.webhook.office.com/webhookb2/9f3c?sig=c41e9d20') },
  pagerduty: { routing_key: new Secret('R02ABCDEF3GHIJKLMN4OPQRSTU5VWX6Y'), severity: 'error', region: 'eu' },
  opsgenie: { api_key: new Secret('6b1f4c2a-93d7-4e58'), region: 'eu', priority: 'P2' },
  webhook: {
    url: new Secret('https://hooks.acme.io/octomil/3f9a7c21'),
    signing_secret: new Secret(signingSecret),
    headers: { 'X-Team': new Secret('platform-4711') },
  },
  datadog: { api_key: new Secret('9775a026f1ca7d1c6c5af9d94d9595a4'), site: 'datadoghq.eu', tags: ['env:prod', 'a:b'] },
  opentelemetry: {
    endpoint: new Secret('https://otel.acme.io:4318'),
    protocol: 'http/protobuf',
    headers: { 'Api-Key': new Secret('c0ffee12-77aa') },
  },
  siem: {
    endpoint: new Secret('https://siem.acme.io/collector/a81f'),
    format: 'json',
    token: new Secret('tok-51c8d2'),
  },
}

export const now = new Date('2026-03-02T09:31:00.900Z')

interface Changes {
  config?: OpenedConfig
  of?: DeliveredEvent
  options?: Partial<DeliveryOptions>
}

export const requestFor = (type: RequestType, { config = {}, of = event, options = {} }: Changes = {}) =>
  requestOf(type, { ...configs[type], ...config }, renderEvent(of), { now, ...options })

/** The request as it is on the wire. */
export function sent(type: RequestType, changes: Changes = {}) {
  const { url, headers, body } = revealed(requestFor(type, changes))
  return { url, headers, text: body.toString('utf8'), bytes: body, json: () => JSON.parse(body.toString('utf8')) }
}
