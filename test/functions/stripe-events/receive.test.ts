/** The webhook believes what Stripe has signed just now, and puts it on the bus; of everything else nothing is kept. */
import { createHmac } from 'node:crypto'
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { mockClient } from 'aws-sdk-client-mock'
import * as fc from 'fast-check'
import Stripe from 'stripe'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { operations } from '../../../functions/operations.ts'
import type { Operation } from '../../../shared/http/operation.ts'
import { busEvents } from '../../support/event-bus.ts'
import { eventFor, invoke, invokeEvent, type Response } from '../../support/invoke.ts'
import { logLines } from '../../support/logs.ts'
import { counts, metricsDuring } from '../../support/metrics.ts'
import { bareProblem, expectProblem, faultPaths } from '../../support/problems.ts'
import { allRows } from '../../support/rows.ts'
import { deliver, delivery, signatureOf, stripeEvent, webhookSecret } from '../../support/stripe-events.ts'

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
})

const receive = 'stripe-events/receive'
const mebibyte = 1024 * 1024
const nowSeconds = () => Math.floor(Date.now() / 1000)
const hmac = (body: string, secret: string, at = nowSeconds()) =>
  createHmac('sha256', secret).update(`${at}.${body}`).digest('hex')

/** Delivers with a header of the test's own. */
const deliverWith = (rawBody: string, header: string | undefined) =>
  invoke(receive, { rawBody, headers: header === undefined ? {} : { 'stripe-signature': header } })

/** Asserts that `send` is refused, counted once under `reason`, and leaves no trace. */
async function expectRefused(reason: string, send: () => Promise<Response>) {
  const [rows, events] = [await allRows(), busEvents.length]
  let response: Response | undefined
  const metrics = await metricsDuring(async () => {
    response = await send()
  })
  if (!response) throw new Error('nothing was sent')
  expect(response.status, response.text).toBe(reason === 'size' ? 413 : 400)
  expectProblem(response, reason === 'size' ? 'payload_too_large' : 'invalid_input')
  expect(counts(metrics, 'StripeEventsRefused')).toEqual([`${reason}: 1`])
  expect(counts(metrics, 'StripeEventsReceived')).toEqual([])
  expect(await allRows()).toEqual(rows)
  expect(busEvents).toHaveLength(events)
  return response
}

describe('a delivery that Stripe has signed', () => {
  test('is on the bus when it is answered, as it was sent, and counted', async () => {
    const event = stripeEvent({}, { text: 'größe 漢字 😀', number: 1e21, nested: [{ a: null }] })
    const metrics = await metricsDuring(async () => {
      const response = await deliver(event)
      expect([response.status, response.body]).toEqual([200, { received: true }])
    })
    expect(busEvents.at(-1)).toEqual({
      version: '0',
      id: expect.stringMatching(/^[\da-f-]{36}$/),
      'detail-type': event.type,
      source: 'octomil.stripe',
      account: '000000000000',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      region: 'us-east-1',
      resources: [],
      detail: event,
    })
    expect(counts(metrics, 'StripeEventsReceived')).toEqual([': 1'])
    expect(metrics[0]?.line).toMatchObject({ event_id: event.id, event_type: event.type, stage: 'test' })
  })

  test('may come in base64, in any media type, with unknown fields and headers', async () => {
    const event = stripeEvent({ new_field: 1 })
    const { rawBody, headers } = delivery(event)
    const asText = eventFor(operations[receive] as unknown as Operation, { rawBody, headers })
    const response = await invokeEvent(receive, {
      ...asText,
      headers: { ...headers, 'content-type': 'application/octet-stream', 'idempotency-key': 'naïve' },
      body: Buffer.from(rawBody).toString('base64'),
      isBase64Encoded: true,
    })
    expect(response.status, response.text).toBe(200)
    expect(busEvents.at(-1)?.detail).toEqual(event)
  })

  test('is taken when the package of Stripe has signed it, and refused or taken as that package would', async () => {
    const { webhooks } = new Stripe('sk_test_x')
    const secrets = [webhookSecret, 'whsec_other']
    const agree = async (secret: string, ageSeconds: number, cut: number) => {
      const payload = JSON.stringify(stripeEvent())
      const timestamp = nowSeconds() - ageSeconds
      const header = webhooks.generateTestHeaderString({ payload, secret, timestamp })
      const sent = payload.slice(0, payload.length - cut)
      const packageTakes = (() => {
        try {
          webhooks.constructEvent(sent, header, webhookSecret)
          return true
        } catch {
          return false
        }
      })()
      const { status } = await deliverWith(sent, header)
      expect(status).toBe(packageTakes ? 200 : 400)
    }
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...secrets),
        // The second around the limit depends on when it is looked at.
        fc.nat(600).filter((age) => Math.abs(age - 300) > 2),
        fc.constantFrom(0, 0, 1),
        agree,
      ),
      { numRuns: 60 },
    )
  })

  test('is delivered again without harm while its signature is fresh', async () => {
    const { rawBody, headers } = delivery(stripeEvent())
    const before = busEvents.length
    for (const _time of [1, 2]) expect((await invoke(receive, { rawBody, headers })).status).toBe(200)
    expect(busEvents.slice(before).map(({ detail }) => detail)).toEqual([JSON.parse(rawBody), JSON.parse(rawBody)])
  })
})

describe('an event not signed by Stripe', () => {
  const body = JSON.stringify(stripeEvent())
  const good = signatureOf(body)
  const [time = '', v1 = ''] = good.split(',')
  const headers: [string, string | undefined][] = [
    ['no header', undefined],
    ['an empty header', ''],
    ['garbage', 'garbage'],
    ['commas', ',,,=,='],
    ['no time', v1],
    ['no signature', time],
    ['two times', `${time},t=1,${v1}`],
    ['another time than was signed', `t=${nowSeconds() - 1},${v1}`],
    ['a time that is no number', `t=abc,v1=${createHmac('sha256', webhookSecret).update(`abc.${body}`).digest('hex')}`],
    ['a signature of another scheme', `${time},v0=${v1.slice(3)}`],
    ['a signature that is cut short', good.slice(0, -1)],
    ['a signature of another body', signatureOf(`${body} `)],
    ['a signature with another secret', signatureOf(body, { secret: 'whsec_other' })],
    ['a signature with an empty secret', signatureOf(body, { secret: '' })],
    ['a signature of the body alone', `${time},v1=${createHmac('sha256', webhookSecret).update(body).digest('hex')}`],
  ]

  test.each(headers)('%s is 400, counted, and leaves no trace', async (_what, header) => {
    const response = await expectRefused('signature', () => deliverWith(body, header))
    expect(faultPaths(response)).toEqual(['Stripe-Signature'])
  })

  test('gets the same answer for a wrong signature, time or body', async () => {
    const answers = []
    for (const [, header] of headers) answers.push(bareProblem(await deliverWith(body, header)))
    answers.push(bareProblem(await deliver(body, { at: nowSeconds() - 301 })))
    for (const other of ['', '{', '[]', '{"object":"event"}', 'x'.repeat(300_000)]) {
      answers.push(bareProblem(await deliverWith(other, good)))
    }
    answers.push(bareProblem(await deliverWith(JSON.stringify(stripeEvent({ livemode: true })), good)))
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  test('is refused for any content of the header', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('t=1,'.repeat(3000), `${good}x`, `${v1}`)),
        async (header) => {
          expect((await deliverWith(body, header)).status).toBe(400)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('with a time that is 5 minutes old, or ahead, it is 400', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    for (const age of [-300, -1, 0, 1, 299, 300]) {
      expect((await deliver(stripeEvent(), { at: nowSeconds() - age })).status, String(age)).toBe(200)
    }
    for (const age of [-301, 301, 86_400, nowSeconds()]) {
      await expectRefused('timestamp', () => deliver(stripeEvent(), { at: nowSeconds() - age }))
    }
  })

  test('a replayed delivery is refused once it is 5 minutes old', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    const overheard = delivery(stripeEvent())
    expect((await invoke(receive, overheard)).status).toBe(200)
    vi.setSystemTime(Date.now() + 301_000)
    await expectRefused('timestamp', () => invoke(receive, overheard))
  })
})

describe('an event signed by Stripe that is refused', () => {
  test.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['a thin event', JSON.stringify({ ...stripeEvent(), object: 'v2.core.event' })],
    ['an event without an id', JSON.stringify({ ...stripeEvent(), id: undefined })],
    ['an event with an id of another kind', JSON.stringify({ ...stripeEvent(), id: 'sub_1' })],
    ['an event without an object', JSON.stringify({ ...stripeEvent(), data: {} })],
    ['an event without a mode', JSON.stringify({ ...stripeEvent(), livemode: undefined })],
    ['a type that is no name', JSON.stringify({ ...stripeEvent(), type: 'a b' })],
  ])('%s is 400 and counted', async (_what, body) => {
    await expectRefused('malformed', () => deliver(body))
  })

  test('bytes that are not UTF-8 are 400, though they are signed', async () => {
    const [before = '', after = ''] = JSON.stringify(stripeEvent({}, { name: 'HERE' })).split('HERE')
    const bytes = Buffer.concat([Buffer.from(before), Buffer.from([0xff]), Buffer.from(after)])
    const at = nowSeconds()
    const v1 = createHmac('sha256', webhookSecret).update(`${at}.`).update(bytes).digest('hex')
    const event = eventFor(operations[receive] as unknown as Operation, { rawBody: bytes.toString('base64') })
    const headers = { 'stripe-signature': `t=${at},v1=${v1}` }
    await expectRefused('malformed', () => invokeEvent(receive, { ...event, headers, isBase64Encoded: true }))
  })

  test('an event of the other mode than that of the key is 400, either way', async () => {
    await expectRefused('livemode', () => deliver(stripeEvent({ livemode: true })))
    for (const key of ['sk_live_1', 'rk_live_1']) {
      vi.stubEnv('STRIPE_SECRET_KEY', key)
      await expectRefused('livemode', () => deliver(stripeEvent({ livemode: false })))
      expect((await deliver(stripeEvent({ livemode: true }))).status).toBe(200)
    }
  })
})

describe('large deliveries', () => {
  /** An event of exactly so many bytes. */
  const eventOf = (bytes: number, overrides: Record<string, unknown> = {}) => {
    const event = stripeEvent(overrides, { padding: '' })
    const padding = 'x'.repeat(bytes - Buffer.byteLength(JSON.stringify(event)))
    return JSON.stringify({ ...event, data: { object: { ...event.data.object, padding } } })
  }

  test('over 1 MiB they are 413, by their bytes, before anything else is looked at', async () => {
    await expectRefused('size', () => deliver(eventOf(mebibyte + 1)))
    await expectRefused('size', () => deliverWith('\u00e9'.repeat(mebibyte / 2 + 1), undefined))
  })

  test('up to 1 MiB they are accepted; one too large for the bus is reduced to the fields that are read', async () => {
    const slim = { id: 'evt_large', object: 'event', type: 'customer.updated', created: 1, livemode: false }
    const object = { id: 'sub_1', object: 'subscription', customer: 'cus_nobody' }
    for (const more of [{}, { account: 'acct_1' }]) {
      const response = await deliver(eventOf(mebibyte, { ...slim, ...more }))
      expect(response.status, response.text).toBe(200)
      expect(busEvents.at(-1)).toMatchObject({ 'detail-type': slim.type, source: 'octomil.stripe' })
      expect(busEvents.at(-1)?.detail).toEqual({ ...slim, ...more, data: { object } })
    }
  })

  test('around the limit of the bus every one arrives', async () => {
    for (const bytes of [-4096, -2049, -2048, -2047, -1, 0, 1, 4096].map((more) => 256 * 1024 + more)) {
      const before = busEvents.length
      const response = await deliver(eventOf(bytes))
      expect(response.status, String(bytes)).toBe(200)
      expect(busEvents).toHaveLength(before + 1)
    }
  })
})

describe('signing secrets', () => {
  test('while one is rolled either signs, and both in one header; a third does not', async () => {
    vi.stubEnv('STRIPE_WEBHOOK_SECRET', 'whsec_old, whsec_new')
    const body = JSON.stringify(stripeEvent())
    for (const secret of ['whsec_old', 'whsec_new']) expect((await deliver(body, { secret })).status).toBe(200)
    const at = nowSeconds()
    const both = `t=${at},v1=${hmac(body, 'whsec_old', at)},v1=${hmac(body, 'whsec_new', at)},v0=abc`
    expect((await deliverWith(body, both)).status).toBe(200)
    await expectRefused('signature', () => deliver(body, { secret: webhookSecret }))
    vi.stubEnv('STRIPE_WEBHOOK_SECRET', 'whsec_new')
    await expectRefused('signature', () => deliver(body, { secret: 'whsec_old' }))
    expect((await deliverWith(body, both)).status).toBe(200)
  })

  test('a secret that is rotated in Secrets Manager is taken within 30 seconds of its first use', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    const manager = mockClient(SecretsManagerClient)
    const hold = (...webhook_secrets: string[]) =>
      manager
        .on(GetSecretValueCommand)
        .resolves({ SecretString: JSON.stringify({ secret_key: 'sk_test_1', webhook_secrets }) })
    vi.stubEnv('STRIPE_SECRET_KEY', '')
    vi.stubEnv('STRIPE_WEBHOOK_SECRET', '')
    vi.stubEnv('STRIPE_SECRET_ARN', 'arn:aws:secretsmanager:us-east-1:000000000000:secret:rotated')
    try {
      hold('whsec_first')
      const send = async (secret: string) => (await deliver(stripeEvent(), { secret })).status
      expect(await send('whsec_first')).toBe(200)
      hold('whsec_second')
      expect([await send('whsec_first'), await send('whsec_second')]).toEqual([200, 400])
      vi.setSystemTime(Date.now() + 31_000)
      expect([await send('whsec_second'), await send('whsec_first')]).toEqual([200, 400])
      // Wrong signatures, however many, do not ask Secrets Manager each.
      const asked = manager.calls().length
      for (let times = 0; times < 20; times++) await send('whsec_wrong')
      expect(manager.calls()).toHaveLength(asked)
      hold()
      vi.setSystemTime(Date.now() + 301_000)
      const empty = await deliver(stripeEvent(), { secret: 'whsec_second' })
      expectProblem(empty, 'service_unavailable')
      expect(empty.body.detail).toMatch(/webhook_secrets .*STRIPE_SECRET_ARN/)
    } finally {
      manager.restore()
    }
  })

  test('a 503 names the missing configuration, so that Stripe sends the event again', async () => {
    for (const [name, value] of [
      ['STRIPE_WEBHOOK_SECRET', ''],
      ['STRIPE_WEBHOOK_SECRET', ' , '],
      ['STRIPE_SECRET_KEY', ''],
    ] as const) {
      vi.stubEnv(name, value)
      const response = await deliver(stripeEvent())
      expectProblem(response, 'service_unavailable')
      expect(response.body.detail).toContain(name)
      vi.unstubAllEnvs()
    }
  })

  test('neither a secret nor anything of a body is logged', async () => {
    const logged = logLines.length
    await deliver(stripeEvent({}, { email: 'canary@example.com' }))
    await deliverWith(JSON.stringify(stripeEvent({}, { email: 'canary@example.com' })), 'canary')
    await deliver('{"email":"canary@example.com"')
    const lines = logLines.slice(logged).join('')
    expect(lines).toContain('StripeEventsReceived')
    expect(lines).not.toMatch(/canary|whsec|sk_test/)
  })
})

describe('the bus', () => {
  const refusedEntry = { FailedEntryCount: 1, Entries: [{ ErrorCode: 'InternalFailure' }] }

  test('is asked again when it refuses an entry within a call that succeeds', async () => {
    const bus = mockClient(EventBridgeClient)
    bus.on(PutEventsCommand).resolvesOnce(refusedEntry).resolvesOnce(refusedEntry).resolves({ FailedEntryCount: 0 })
    try {
      expect((await deliver(stripeEvent())).status).toBe(200)
      expect(bus.commandCalls(PutEventsCommand)).toHaveLength(3)
    } finally {
      bus.restore()
    }
  })

  test('that keeps refusing is a 503 with Retry-After, and the event is not counted as received', async () => {
    const bus = mockClient(EventBridgeClient)
    bus.on(PutEventsCommand).resolves(refusedEntry)
    try {
      const metrics = await metricsDuring(async () => {
        const response = await deliver(stripeEvent())
        expectProblem(response, 'service_unavailable')
        expect(response.headers['retry-after']).toMatch(/^\d+$/)
      })
      expect(metrics).toEqual([])
      expect(bus.commandCalls(PutEventsCommand)).toHaveLength(3)
    } finally {
      bus.restore()
    }
  })

  test.each(['ThrottlingException', 'InternalException', 'AccessDeniedException'])(
    'that fails with %s makes Stripe send the event again',
    async (name) => {
      const bus = mockClient(EventBridgeClient)
      bus.on(PutEventsCommand).rejects(Object.assign(new Error('no'), { name, $fault: 'server' }))
      try {
        expect((await deliver(stripeEvent())).status).toBeGreaterThanOrEqual(500)
      } finally {
        bus.restore()
      }
    },
  )
})
