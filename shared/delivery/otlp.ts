/**
 * OTLP logs. https://opentelemetry.io/docs/specs/otlp/ and https://opentelemetry.io/docs/specs/otel/logs/data-model/.
 * The package adds 16 KB to a bundle.
 */
import { JsonLogsSerializer, ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer'
import { Secret } from '../secrets/secret.ts'
import { type DeliveredEvent, textsOf } from './event.ts'
import { grpcFrame } from './grpc.ts'
import { type Format, headersOf, secretOf, textOf } from './request.ts'

type Records = Parameters<typeof JsonLogsSerializer.serializeRequest>[0]
type LogRecord = Records[number]

/** Severity numbers of the data model. */
const info = 9
const warn = 13

const attributes = { 'service.name': 'octomil-settings-api' }
const resource = { attributes, getRawAttributes: () => Object.entries(attributes), merge: () => resource }
const scope = { name: 'octomil.audit' }

function recordOf(event: DeliveredEvent): LogRecord {
  const ms = Date.parse(event.timestamp)
  const time: [number, number] = [Math.floor(ms / 1000), (ms % 1000) * 1_000_000]
  const denied = event.result === 'denied'
  return {
    hrTime: time,
    // Each attempt sends the same bytes, so this is not the time of the attempt.
    hrTimeObserved: time,
    severityNumber: denied ? warn : info,
    severityText: denied ? 'WARN' : 'INFO',
    body: textsOf(event).summary,
    eventName: event.action,
    resource: resource as LogRecord['resource'],
    instrumentationScope: scope,
    attributes: attributesOf(event),
    droppedAttributesCount: 0,
  }
}

function attributesOf({ id, action, actor, resource: target, result, ip, user_agent, ...rest }: DeliveredEvent) {
  const pairs: Record<string, string | undefined> = {
    'event.id': id,
    'octomil.action': action,
    'octomil.result': result,
    'octomil.actor.type': actor.type,
    'user.id': actor.id,
    'user.email': actor.email,
    'octomil.resource.type': target.type,
    'octomil.resource.id': target.id,
    'octomil.resource.name': target.name,
    'octomil.request_id': rest.request_id,
    'octomil.changes': JSON.stringify(rest.changes),
    'octomil.hash': rest.hash,
    'client.address': ip,
    'user_agent.original': user_agent,
  }
  return Object.fromEntries(
    Object.entries(pairs).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  )
}

/** `/v1/logs` is appended unless the path ends in it. */
export function logsUrl(endpoint: string): string {
  const url = new URL(endpoint)
  const path = url.pathname.replace(/\/+$/, '')
  url.pathname = path.endsWith('/v1/logs') ? path : `${path}/v1/logs`
  return url.href
}

const grpcPath = '/opentelemetry.proto.collector.logs.v1.LogsService/Export'

/** Requests are built in memory, so a serializer that gives nothing is a defect. */
function bytes(serialized: Uint8Array | undefined): Uint8Array {
  if (!serialized) throw new TypeError('the event has no OTLP form')
  return serialized
}

export const otlpRequest: Format = (config, { event }) => {
  const endpoint = secretOf(config, 'endpoint').reveal()
  const records = [recordOf(event)]
  const common = { method: 'POST', headers: headersOf(config) } as const
  const protocol = textOf(config, 'protocol')
  if (protocol === 'grpc') {
    const own = Object.fromEntries(Object.entries(common.headers).map(([name, value]) => [name.toLowerCase(), value]))
    return {
      ...common,
      transport: 'grpc',
      url: new Secret(new URL(grpcPath, endpoint).href),
      headers: { ...own, 'content-type': 'application/grpc', te: 'trailers' },
      body: grpcFrame(bytes(ProtobufLogsSerializer.serializeRequest(records))),
    }
  }
  const isJson = protocol === 'http/json'
  return {
    ...common,
    transport: 'http',
    url: new Secret(logsUrl(endpoint)),
    headers: { ...common.headers, 'content-type': isJson ? 'application/json' : 'application/x-protobuf' },
    body: bytes((isJson ? JsonLogsSerializer : ProtobufLogsSerializer).serializeRequest(records)),
  }
}
