/** OTLP logs, read back by hand-written readers of the published formats. */
import { describe, expect, test } from 'vitest'
import { grpcFrame, grpcOutcome } from '../../../shared/delivery/grpc.ts'
import { logsUrl } from '../../../shared/delivery/otlp.ts'
import { event, requestFor, sent } from './sample.ts'

/** Fields of a protobuf message, by number: https://protobuf.dev/programming-guides/encoding/ */
function fieldsOf(bytes: Uint8Array): Map<number, (bigint | Uint8Array)[]> {
  const fields = new Map<number, (bigint | Uint8Array)[]>()
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = view.getUint8(at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const wireValue = (wire: number): bigint | Uint8Array => {
    if (wire === 0) return varint()
    const length = wire === 2 ? Number(varint()) : wire === 1 ? 8 : 4
    at += length
    if (wire === 2) return bytes.subarray(at - length, at)
    return wire === 1 ? view.getBigUint64(at - 8, true) : BigInt(view.getUint32(at - 4, true))
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), wireValue(tag & 7)])
  }
  return fields
}
const within = (bytes: Uint8Array, ...path: number[]): Uint8Array =>
  path.reduce((inner, field) => fieldsOf(inner).get(field)?.[0] as Uint8Array, bytes)
const textIn = (bytes: Uint8Array, ...path: number[]) => Buffer.from(within(bytes, ...path)).toString('utf8')

/** ExportLogsServiceRequest.resource_logs.scope_logs.log_records, by opentelemetry-proto 1.x (logs/v1/logs.proto). */
const recordIn = (message: Uint8Array) => within(message, 1, 2, 2)
const nanoseconds = BigInt(Date.parse(event.timestamp)) * 1_000_000n

function expectRecord(message: Uint8Array): void {
  const record = recordIn(message)
  const fields = fieldsOf(record)
  expect(fields.get(1)).toEqual([nanoseconds])
  expect(fields.get(11)).toEqual([nanoseconds])
  expect(fields.get(2)).toEqual([9n])
  expect(textIn(record, 5, 1)).toBe('api_key.created: api_key deploy')
  expect(textIn(record, 12)).toBe('api_key.created')
  const attributes = (fields.get(6) ?? []).map((pair) => [
    textIn(pair as Uint8Array, 1),
    textIn(pair as Uint8Array, 2, 1),
  ])
  expect(Object.fromEntries(attributes)).toMatchObject({
    'event.id': event.id,
    'user.id': 'user-7',
    'octomil.changes': JSON.stringify(event.changes),
  })
  expect(textIn(message, 1, 1, 1, 1)).toBe('service.name')
}

describe('OTLP over http', () => {
  test('protobuf has the event as a log record', () => {
    const { url, headers, bytes } = sent('opentelemetry')
    expect(url).toBe('https://otel.acme.io:4318/v1/logs')
    expect(headers).toEqual({ 'Api-Key': 'c0ffee12-77aa', 'content-type': 'application/x-protobuf' })
    expectRecord(bytes)
  })

  test('json has it by the published mapping: lowerCamelCase, times as text', () => {
    const { headers, json } = sent('opentelemetry', { config: { protocol: 'http/json' } })
    expect(headers['content-type']).toBe('application/json')
    const record = json().resourceLogs[0].scopeLogs[0].logRecords[0]
    expect(record).toMatchObject({
      timeUnixNano: String(nanoseconds),
      severityNumber: 9,
      severityText: 'INFO',
      body: { stringValue: 'api_key.created: api_key deploy' },
    })
    expect(record.attributes).toContainEqual({ key: 'event.id', value: { stringValue: event.id } })
    expect(json().resourceLogs[0].resource.attributes).toEqual([
      { key: 'service.name', value: { stringValue: 'octomil-settings-api' } },
    ])
  })

  test('a denied attempt is a warning', () => {
    const { json } = sent('opentelemetry', { config: { protocol: 'http/json' }, of: { ...event, result: 'denied' } })
    expect(json().resourceLogs[0].scopeLogs[0].logRecords[0]).toMatchObject({ severityNumber: 13 })
  })

  test.each([
    ['http://otel.acme.io:4318', 'http://otel.acme.io:4318/v1/logs'],
    ['https://otel.acme.io/', 'https://otel.acme.io/v1/logs'],
    ['https://otel.acme.io/v1/logs', 'https://otel.acme.io/v1/logs'],
    ['https://otel.acme.io/otlp/', 'https://otel.acme.io/otlp/v1/logs'],
    ['https://otel.acme.io/otlp?tenant=7', 'https://otel.acme.io/otlp/v1/logs?tenant=7'],
  ])('%s is called at %s', (endpoint, url) => {
    expect(logsUrl(endpoint)).toBe(url)
  })
})

describe('OTLP over gRPC', () => {
  test('is a unary Export: the path, lower-case headers and one length-prefixed message', () => {
    const changes = { config: { protocol: 'grpc' } }
    const { url, headers, bytes } = sent('opentelemetry', changes)
    expect(requestFor('opentelemetry', changes).transport).toBe('grpc')
    expect(url).toBe('https://otel.acme.io:4318/opentelemetry.proto.collector.logs.v1.LogsService/Export')
    expect(headers).toEqual({ 'api-key': 'c0ffee12-77aa', 'content-type': 'application/grpc', te: 'trailers' })
    expect([bytes.readUInt8(0), bytes.readUInt32BE(1)]).toEqual([0, bytes.length - 5])
    expectRecord(bytes.subarray(5))
  })

  test('an empty message is five zero bytes', () => {
    expect(grpcFrame(new Uint8Array())).toEqual(new Uint8Array(5))
  })

  test.each([
    ['status 0 in the trailers', { status: 200, headers: {}, trailers: { 'grpc-status': '0' } }, 200, null],
    ['status 14', { status: 200, headers: {}, trailers: { 'grpc-status': '14' } }, 503, 'gRPC status 14'],
    [
      'a status in the headers alone, without its message, which could repeat a secret,',
      { status: 200, headers: { 'grpc-status': '16', 'grpc-message': 'no%20token%20c0ffee12-77aa' } },
      401,
      'gRPC status 16',
    ],
    ['no status', { status: 200, headers: {} }, 502, 'The receiver answered without a gRPC status.'],
    ['an answer of a proxy', { status: 503, headers: {} }, 503, 'The receiver answered 503.'],
  ])('%s is the outcome', (_title, answer, status, error) => {
    expect(grpcOutcome(answer)).toEqual({ status, error })
  })
})
