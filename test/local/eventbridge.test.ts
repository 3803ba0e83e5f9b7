/** The local EventBridge takes what AWS takes, hands it on as AWS does, tries again, and shows what it could not do. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge'
import { afterEach, describe, expect, test } from 'vitest'
import {
  createEventBridge,
  type Envelope,
  type EventBridgeOptions,
  eventsPath,
  localBusName,
} from '../../local/eventbridge.ts'

const closers: (() => void | Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function start(options: Partial<EventBridgeOptions> = {}) {
  const bridge = createEventBridge({ project: async () => {}, sweep: async () => {}, retryAfterMs: [1, 1], ...options })
  const server = createServer((request, response) => void bridge.handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}${eventsPath}`
  const client = new EventBridgeClient({ endpoint, maxAttempts: 1 })
  closers.push(
    () => bridge.close(),
    () => client.destroy(),
    () => void server.close(),
  )
  const put = (...entries: Partial<PutEventsRequestEntry>[]) =>
    client.send(new PutEventsCommand({ Entries: entries.map((entry) => ({ ...good, ...entry })) }))
  const ask = async (method: string, path: string) => {
    const response = await fetch(endpoint + path, { method })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  return { bridge, put, ask }
}

const good = {
  EventBusName: localBusName,
  Source: 'octomil.stripe',
  DetailType: 'invoice.paid',
  Detail: '{"id":"evt_1"}',
}

describe('an event that is put', () => {
  test('reaches the projector in the envelope of AWS, with the id from the answer', async () => {
    const received: Envelope[] = []
    const { bridge, put } = await start({ project: async (envelope) => void received.push(envelope) })
    const { FailedEntryCount, Entries = [] } = await put({}, { Detail: '{"id":"evt_2"}' })
    await bridge.idle()
    expect([FailedEntryCount, Entries.map(({ EventId }) => EventId)]).toEqual([0, received.map(({ id }) => id)])
    expect(received.map(({ detail }) => detail)).toEqual([{ id: 'evt_1' }, { id: 'evt_2' }])
    expect(received[0]).toEqual({
      version: '0',
      id: expect.any(String),
      'detail-type': 'invoice.paid',
      source: 'octomil.stripe',
      account: '000000000000',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      region: expect.any(String),
      resources: [],
      detail: { id: 'evt_1' },
    })
  })

  test('goes nowhere when no rule matches it: another bus, another source', async () => {
    const received: Envelope[] = []
    const { bridge, put } = await start({ project: async (envelope) => void received.push(envelope) })
    expect((await put({ EventBusName: 'default' }, { Source: 'somebody' })).FailedEntryCount).toBe(0)
    await bridge.idle()
    expect(received).toEqual([])
  })

  test('is refused within a good answer when it alone is bad', async () => {
    const { put } = await start()
    const { FailedEntryCount, Entries } = await put(
      {},
      { Detail: 'no JSON' },
      { Detail: '7' },
      { Source: 'aws.partner/stripe.com/ed_1' },
      { DetailType: '' },
    )
    expect(FailedEntryCount).toBe(4)
    expect(Entries?.map(({ ErrorCode }) => ErrorCode)).toEqual([
      undefined,
      'MalformedDetail',
      'MalformedDetail',
      'NotAuthorizedForSourceException',
      'InvalidArgument',
    ])
  })

  test('is refused with its whole request beyond 256 KiB or 10 entries', async () => {
    const { put } = await start()
    const around = Buffer.byteLength(good.Source + good.DetailType)
    const detailOf = (bytes: number) => JSON.stringify({ x: 'x'.repeat(bytes - '{"x":""}'.length) })
    expect((await put({ Detail: detailOf(256 * 1024 - around) })).FailedEntryCount).toBe(0)
    await expect(put({ Detail: detailOf(256 * 1024 - around + 1) })).rejects.toThrow(/over the limit/)
    await expect(put(...Array.from({ length: 11 }, () => ({})))).rejects.toThrow()
  })
})

describe('an event that fails', () => {
  test('is tried three times in all', async () => {
    let attempts = 0
    const { bridge, put } = await start({
      project: async () => {
        attempts += 1
        if (attempts < 3) throw new Error('not yet')
      },
    })
    await put({})
    await bridge.idle()
    expect([attempts, bridge.deadLetters]).toEqual([3, []])
  })

  test('every time is a dead letter that can be read', async () => {
    const { bridge, put, ask } = await start({ project: () => Promise.reject(new TypeError('never')) })
    await put({})
    await bridge.idle()
    const { body } = await ask('GET', '/dead-letters')
    expect(body.data).toEqual([
      {
        timestamp: expect.any(String),
        requestContext: { condition: 'RetriesExhausted', approximateInvokeCount: 3 },
        requestPayload: expect.objectContaining({ source: 'octomil.stripe', detail: { id: 'evt_1' } }),
        responsePayload: { errorType: 'TypeError', errorMessage: 'never' },
      },
    ])
  })

  test('and waits for its next attempt does not hold up the end', async () => {
    const { bridge, put } = await start({ project: () => Promise.reject(new Error('no')), retryAfterMs: [60_000] })
    await put({})
    const started = Date.now()
    await bridge.close()
    expect(Date.now() - started).toBeLessThan(5000)
    expect(bridge.deadLetters).toEqual([])
  })
})

describe('the sweep', () => {
  test('can be started by hand, and says whether it went well', async () => {
    let isWell = true
    const { ask } = await start({
      sweep: async () => {
        if (!isWell) throw new Error('1 parts of the sweep have failed')
      },
    })
    expect(await ask('POST', '/sweep')).toEqual({ status: 200, body: { swept: true } })
    isWell = false
    expect(await ask('POST', '/sweep')).toEqual({ status: 500, body: { error: '1 parts of the sweep have failed' } })
  })

  test('runs by itself at its interval, even after a failure', async () => {
    let sweeps = 0
    const twice = Promise.withResolvers<void>()
    const sweep = async () => {
      sweeps += 1
      if (sweeps === 2) twice.resolve()
      throw new Error('no')
    }
    const { bridge } = await start({ sweep, sweepEveryMs: 5 })
    await twice.promise
    await bridge.close()
    const atTheEnd = sweeps
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(sweeps).toBe(atTheEnd)
  })
})

test('what this stand-in does not have is refused and not passed over', async () => {
  const { ask } = await start()
  expect((await ask('GET', '/nothing')).status).toBe(404)
  expect(await ask('POST', '')).toMatchObject({ status: 400, body: { __type: 'UnknownOperationException' } })
})
