/** Events on their way to integrations: a real queue on loopback, the real router and sender, and receivers over HTTP. */
import { createHmac } from 'node:crypto'
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { deliver } from '../../../shared/delivery/deliver.ts'
import { type DeliveryMessage, enqueue } from '../../../shared/delivery/queue.ts'
import { takeSlot } from '../../../shared/delivery/state.ts'
import { advanceDueClock, dueNowMs } from '../../../shared/runtime/due-clock.ts'
import { resultOf } from '../../support/background.ts'
import {
  deliveriesOf,
  type Hit,
  makeEvent,
  type Receiver,
  route,
  startReceiver,
  status,
  useQueue,
} from '../../support/deliveries.ts'
import { integrationsOf, makeOrgOn } from '../../support/integrations.ts'
import { invoke } from '../../support/invoke.ts'
import { logLines } from '../../support/logs.ts'
import type { TestOrg } from '../../support/orgs.ts'
import { allRows, deleteRow, putRow, putRows, rowsOf } from '../../support/rows.ts'

const { queue } = useQueue()
const signing_secret = 'a-signing-secret-0123456789'

let org: TestOrg
let receiver: Receiver
beforeEach(async () => {
  org = await makeOrgOn('enterprise')
  receiver = await startReceiver()
  return () => receiver.close()
})

const make = async (more: object = {}, url = receiver.url) => {
  // The events before it.
  await route(org)
  const { body } = await integrationsOf(org).create({
    ...{ type: 'webhook', name: 'hook', event_types: ['api_key.created'] },
    config: { url: `${url}/hook`, signing_secret, ...more },
  })
  await route(org)
  return body.id
}
const patch = (id: string, body: object) => integrationsOf(org).patch(id, body)
const retry = (id: string, delivery_id: string, token = org.adminKey) =>
  invoke('integrations/retry-delivery', { token, params: { integration_id: id, delivery_id } })
const testOf = (id: string, token = org.adminKey) =>
  invoke('integrations/test', { token, params: { integration_id: id } })
const only = async (id: string) => {
  const [delivery, ...more] = await deliveriesOf(org, id)
  expect(more).toEqual([])
  if (!delivery) throw new Error('there is no delivery')
  return delivery
}
const until = async (id: string, state: object) => {
  await vi.waitFor(async () => expect(await only(id)).toMatchObject(state), { timeout: 10_000, interval: 30 })
  return only(id)
}
const actions = async () => {
  const { body } = await invoke('audit-events/list', { token: org.adminKey })
  return body.data.map(({ action }: { action: string }) => action)
}
const lettersOf = (id: string) =>
  queue()
    .messagesIn('delivery-dead-letters')
    .filter((body) => body.includes(id))

describe('an event', () => {
  test('arrives signed, as it is served, and its delivery has no payload and no secret', async () => {
    const id = await make({ headers: { 'X-Team': 'team-secret-4711' } })
    await makeEvent(org, 'deploy')
    await route(org)
    const delivery = await until(id, { status: 'delivered' })
    const [hit] = receiver.hits
    const { sealed: _sealed, ...event } = (
      await invoke('audit-events/list', { token: org.adminKey, query: { action: 'api_key.created' } })
    ).body.data.find(({ id: each }: { id: string }) => each === delivery.event_id)
    expect(JSON.parse(hit?.body ?? '')).toEqual({ type: 'api_key.created', timestamp: event.timestamp, data: event })
    const { 'webhook-id': eventId, 'webhook-timestamp': at, 'webhook-signature': signature } = hit?.headers ?? {}
    const signed = createHmac('sha256', signing_secret).update(`${eventId}.${at}.${hit?.body}`).digest('base64')
    expect([eventId, signature, hit?.headers['x-team']]).toEqual([event.id, `v1,${signed}`, 'team-secret-4711'])
    expect(delivery).toEqual({
      id: expect.stringMatching(/^dlv_/),
      event_id: event.id,
      event_type: 'api_key.created',
      status: 'delivered',
      attempts: [{ at: expect.any(String), status_code: 204, latency_ms: expect.any(Number), error: null }],
      next_attempt_at: null,
      created_at: expect.any(String),
      delivered_at: expect.any(String),
    })
    const stored = JSON.stringify(await allRows())
    for (const secret of [signing_secret, 'team-secret-4711', `${receiver.url}/hook`])
      expect(stored).not.toContain(secret)
  })

  test('that the stream repeats, or that happened before an integration was switched on, is not sent again', async () => {
    const id = await make()
    await makeEvent(org)
    await Promise.all([route(org), route(org), route(org)])
    await until(id, { status: 'delivered' })
    const before = receiver.hits.length
    const late = await make()
    await route(org)
    expect(await deliveriesOf(org, late)).toEqual([])
    // Of three concurrent routes, each can queue a message; the row lets one of them send.
    expect([before, receiver.hits.length]).toEqual([1, 1])
  })

  test('reaches each type only by its list, denied attempts only on request, and no other organization', async () => {
    const other = await makeOrgOn('enterprise')
    const [all, denied] = [await make(), await make()]
    await patch(all, { event_types: ['*'] })
    await patch(denied, { event_types: ['api_key.*'], include_denied: true })
    await route(org)
    const { body: made } = await invoke('api-keys/create', {
      token: org.adminKey,
      body: { name: 'weak', scopes: ['audit:read'] },
    })
    await invoke('api-keys/create', { token: made.api_key, body: { name: 'x', scopes: ['keys:read'] } })
    await makeEvent(other)
    await route(org)
    await route(other)
    const typesOf = async (id: string) =>
      (await deliveriesOf(org, id)).map(({ event_type }: { event_type: string }) => event_type)
    expect((await typesOf(denied)).filter((type: string) => type === 'api_key.created')).toHaveLength(2)
    expect((await typesOf(all)).filter((type: string) => type === 'api_key.created')).toHaveLength(1)
    await vi.waitFor(() => expect(receiver.hits.length).toBeGreaterThanOrEqual(3))
    expect(receiver.hits.filter(({ body }) => body.includes(other.orgId))).toEqual([])
  })
})

describe('a failure', () => {
  beforeAll(() => vi.spyOn(Math, 'random'))

  test.each([
    ['a server error', status(500), 500, /status 500/],
    ['a client error', status(404), 404, /status 404/],
    ['a redirect', status(302, { location: 'http://127.0.0.1:1/' }), 302, /status 302/],
  ])('is tried again after 5 s: %s', async (_name, how, status_code, error) => {
    receiver.answer(how)
    const id = await make()
    await makeEvent(org)
    await route(org)
    const { attempts, next_attempt_at } = await until(id, {
      attempts: [{ status_code, error: expect.stringMatching(error) }],
    })
    const waits = Date.parse(String(next_attempt_at)) - Date.parse(attempts[0].at)
    expect(waits).toBeGreaterThanOrEqual(5000)
    expect(waits).toBeLessThanOrEqual(6100)
    receiver.answer(status(200))
    advanceDueClock(6)
    await until(id, { status: 'delivered', attempts: [{ status_code }, { status_code: 200, error: null }] })
    expect(new Set(receiver.hits.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(new Set(receiver.hits.map(({ body }) => body)).size).toBe(1)
  })

  test('ends after nine attempts on the schedule, in the list and in the dead-letter queue', async () => {
    receiver.answer(status(503))
    const id = await make()
    await makeEvent(org)
    await route(org)
    for (const [index, seconds] of [5, 30, 300, 1800, 7200, 18_000, 36_000, 36_000].entries()) {
      const { attempts, next_attempt_at } = await until(id, {
        attempts: Array.from({ length: index + 1 }, () => ({ status_code: 503 })),
      })
      const waits = (Date.parse(String(next_attempt_at)) - Date.parse(attempts[index]?.at ?? '')) / 1000
      expect(waits).toBeGreaterThanOrEqual(seconds)
      expect(waits).toBeLessThanOrEqual(seconds * 1.2 + 1)
      expect(lettersOf(id)).toEqual([])
      advanceDueClock(seconds * 1.2 + 1)
    }
    const { next_attempt_at } = await until(id, { status: 'failed' })
    expect([next_attempt_at, receiver.hits.length]).toEqual([null, 9])
    await vi.waitFor(() => expect(lettersOf(id)).toHaveLength(1))
    expect(JSON.stringify(lettersOf(id))).not.toContain(signing_secret)
  })

  test.each([
    ['in seconds', () => '60', 60],
    ['as a date', () => new Date(Date.now() + 90_000).toUTCString(), 90],
    ['of at most 12 h', () => '999999', 43_200],
    ['of more digits than a date has', () => '99999999999999', 43_200],
  ])('waits as long as Retry-After asks, %s', async (_name, text, seconds) => {
    receiver.answer(status(429, { 'retry-after': text() }))
    const id = await make()
    await makeEvent(org)
    await route(org)
    const { attempts, next_attempt_at } = await until(id, { attempts: [{ status_code: 429 }] })
    const waits = (Date.parse(String(next_attempt_at)) - Date.parse(attempts[0].at)) / 1000
    expect(Math.abs(waits - seconds)).toBeLessThan(2)
  })

  test('of a receiver that is gone, deleted or disabled ends the delivery', async () => {
    receiver.answer(status(500))
    const id = await make()
    await makeEvent(org)
    await route(org)
    await until(id, { attempts: [{ status_code: 500 }] })
    await patch(id, { enabled: false })
    advanceDueClock(10)
    await until(id, {
      status: 'failed',
      attempts: [{ status_code: 500 }, { status_code: null, error: 'The integration is disabled.' }],
    })
    expect(receiver.hits).toHaveLength(1)
    expect((await retry(id, (await only(id)).id)).status).toBe(409)
  })
})

describe('the message of a delivery', () => {
  const messageOf = async (id: string, more: Partial<DeliveryMessage> = {}): Promise<DeliveryMessage> => {
    const { id: delivery_id, event_id } = await only(id)
    return { org_id: org.orgId, integration_id: id, delivery_id, event_id, ...more }
  }
  const messagesOf = (id: string) =>
    queue()
      .messagesIn('deliveries')
      .filter((body) => body.includes(id))
  const failed = async () => {
    receiver.answer(status(500))
    const id = await make()
    await makeEvent(org)
    await route(org)
    await until(id, { attempts: [{ status_code: 500 }] })
    return id
  }

  /** A message can be received twice, and then queued twice. The row names one of both. */
  const named = async (id: string) => {
    await vi.waitFor(async () => expect((await rowsOf(org.orgId, `DELIVERY#${id}`))[0]?.turn).toBe(1))
    return messagesOf(id)
  }

  test('waits delayed and not received, since SQS limits received messages', async () => {
    const id = await failed()
    const before = await named(id)
    const Records = before.map((body, index) => ({ messageId: String(index), body }))
    expect(await resultOf('integrations/send', { Records })).toEqual({ batchItemFailures: [] })
    expect(messagesOf(id)).toHaveLength(before.length + 1)
  })

  test('that repeats an earlier one is done', async () => {
    const id = await failed()
    const before = await named(id)
    expect(await deliver(await messageOf(id, { turn: 0 }), 'test')).toBeUndefined()
    const Records = [...before, ...before].map((body, index) => ({ messageId: String(index), body }))
    await resultOf('integrations/send', { Records })
    expect(messagesOf(id).length).toBeGreaterThanOrEqual(2)
    const waits = messagesOf(id).map((body) => deliver(JSON.parse(body) as DeliveryMessage, 'test'))
    expect((await Promise.all(waits)).filter((seconds) => seconds !== undefined)).toHaveLength(1)
  })

  test('waits a quarter of its age when all sends are taken, and at most 5 minutes', async () => {
    const id = await failed()
    const [row] = await rowsOf(org.orgId, `DELIVERY#${id}`)
    if (!row) throw new Error('there is no row')
    for (let slot = 0; slot < 10; slot++) await takeSlot(org.orgId, id, 60_000, { nowMs: Date.now(), random: 0 })
    const message = await messageOf(id)
    const waitAfter = async (seconds: number) => {
      const due_ms = dueNowMs() - seconds * 1000
      await putRow({ ...row, due_ms, next_attempt_at: new Date(Date.now() - seconds * 1000).toISOString() })
      return deliver(message, 'test')
    }
    expect(await waitAfter(1)).toBe(1)
    expect(await waitAfter(100)).toBeCloseTo(25, 0)
    expect(await waitAfter(86_400)).toBe(300)
  })

  test('returns to the dead-letter queue when it is replayed while the integration is disabled', async () => {
    const id = await failed()
    await patch(id, { enabled: false })
    advanceDueClock(10)
    await until(id, { status: 'failed' })
    await vi.waitFor(() => expect(lettersOf(id)).toHaveLength(1))
    await enqueue(JSON.parse(lettersOf(id)[0] ?? '') as DeliveryMessage)
    await vi.waitFor(() => expect(lettersOf(id).length).toBeGreaterThanOrEqual(2))
    await vi.waitFor(() => expect(messagesOf(id)).toEqual([]))
  })
})

test('a receiver that repeats secrets gets none of them into rows, messages, logs, answers and events', async () => {
  receiver.answer(({ headers, body }, response) => {
    response
      .writeHead(500, { 'x-echo': String(headers['x-team']) })
      .end(`${JSON.stringify(headers)} ${body} ${signing_secret}`)
  })
  const id = await make({ headers: { 'X-Team': 'canary-header-4711' } })
  await makeEvent(org)
  await route(org)
  await until(id, { attempts: [{ status_code: 500 }] })
  const tested = await testOf(id)
  expect(tested.body.success).toBe(false)
  const { id: delivery } = await only(id)
  await patch(id, { enabled: false })
  advanceDueClock(10)
  await until(id, { status: 'failed' })
  await vi.waitFor(() => expect(lettersOf(delivery)).toHaveLength(1))
  const everything = [await allRows(), logLines, tested.text, lettersOf(delivery), await deliveriesOf(org, id)]
  const text = JSON.stringify(everything)
  expect(logLines.length).toBeGreaterThan(0)
  for (const secret of [signing_secret, 'canary-header-4711', `${receiver.url}/hook`])
    expect(text).not.toContain(secret)
})

describe('switching off', () => {
  test('410 does it at once, with an event, and fails the others that wait', async () => {
    receiver.answer(status(500))
    const id = await make()
    await makeEvent(org, 'one')
    await route(org)
    await until(id, { attempts: [{ status_code: 500 }] })
    receiver.answer(status(410))
    await makeEvent(org, 'two')
    await route(org)
    await vi.waitFor(async () => expect((await integrationsOf(org).get(id)).body.enabled).toBe(false), {
      timeout: 10_000,
    })
    await vi.waitFor(async () =>
      expect((await deliveriesOf(org, id)).map(({ status: each }: { status: string }) => each)).toEqual([
        'failed',
        'failed',
      ]),
    )
    expect((await actions()).filter((action: string) => action === 'integration.disabled')).toHaveLength(1)
    const { body } = await integrationsOf(org).get(id)
    expect(body.disabled_reason).toMatch(/410/)
    expect((await patch(id, { enabled: true })).body).toMatchObject({ enabled: true, disabled_reason: null })
  })

  test('five days of failures do it, decided at a failed attempt', async () => {
    receiver.answer(status(500))
    const id = await make()
    await makeEvent(org, 'one')
    await route(org)
    await until(id, { attempts: [{ status_code: 500 }] })
    advanceDueClock(5 * 86_400 - 60)
    await until(id, { attempts: [{}, { status_code: 500 }] })
    expect((await integrationsOf(org).get(id)).body.enabled).toBe(true)
    advanceDueClock(120)
    await vi.waitFor(async () => expect((await integrationsOf(org).get(id)).body.enabled).toBe(false), {
      timeout: 10_000,
    })
    expect((await integrationsOf(org).get(id)).body.disabled_reason).toMatch(/five days/)
  })
})

describe('switching off does not happen', () => {
  const isOn = async (id: string) => (await integrationsOf(org).get(id)).body.enabled

  test('for failures before the integration was switched on again', async () => {
    receiver.answer(status(500))
    const id = await make()
    await makeEvent(org, 'one')
    await route(org)
    await until(id, { attempts: [{ status_code: 500 }] })
    await patch(id, { enabled: false })
    advanceDueClock(6 * 86_400)
    await until(id, { status: 'failed' })
    await patch(id, { enabled: true })
    await makeEvent(org, 'two')
    await route(org)
    await vi.waitFor(async () =>
      expect((await deliveriesOf(org, id))[0]).toMatchObject({ status: 'pending', attempts: [{ status_code: 500 }] }),
    )
    expect(await isOn(id)).toBe(true)
  })

  test('for the 410 of a URL that was replaced during the attempt', async () => {
    const other = await startReceiver()
    const patched = Promise.withResolvers<void>()
    receiver.answer((hit, response) => void patched.promise.then(() => status(410)(hit, response)))
    const id = await make()
    await makeEvent(org)
    await route(org)
    await vi.waitFor(() => expect(receiver.hits).toHaveLength(1))
    await patch(id, { config: { url: `${other.url}/new`, signing_secret } })
    patched.resolve()
    await until(id, { status: 'pending', attempts: [{ status_code: 410 }] })
    expect(await isOn(id)).toBe(true)
    advanceDueClock(10)
    await until(id, { status: 'delivered' })
    other.close()
  })
})

test('switching off fails all of 260 waiting deliveries, and none that came after it', async () => {
  receiver.answer(status(500))
  const id = await make()
  await makeEvent(org)
  await route(org)
  await until(id, { attempts: [{ status_code: 500 }] })
  const [row] = await rowsOf(org.orgId, `DELIVERY#${id}`)
  if (!row) throw new Error('there is no row')
  const copy = (index: number, more: object = {}) => {
    const name = row.sk.slice(0, -4) + String(index).padStart(4, '0')
    return { ...row, ...more, sk: name, id: name.slice(name.lastIndexOf('#') + 1) }
  }
  await putRows(Array.from({ length: 260 }, (_, index) => copy(index)))
  const later = copy(261, { created_at: new Date(Date.now() + 60_000).toISOString() })
  await putRow(later)
  receiver.answer(status(410))
  advanceDueClock(10)
  await vi.waitFor(
    async () => {
      const pending = (await rowsOf(org.orgId, `DELIVERY#${id}`)).filter((each) => each.status === 'pending')
      expect(pending.map(({ sk }) => sk)).toEqual([later.sk])
    },
    { timeout: 20_000, interval: 100 },
  )
})

describe('a request of a caller', () => {
  test('retries a delivered and a failed delivery at once, and starts no schedule', async () => {
    const id = await make()
    await makeEvent(org)
    await route(org)
    const { id: delivery } = await until(id, { status: 'delivered' })
    const answer = await retry(id, delivery)
    expect([answer.status, answer.body.status]).toEqual([202, 'pending'])
    await until(id, { status: 'delivered', attempts: [{ error: null }, { error: null }] })
    receiver.answer(status(500))
    await retry(id, delivery)
    await until(id, { status: 'failed', next_attempt_at: null, attempts: [{}, {}, { status_code: 500 }] })
    receiver.answer(status(200))
    await retry(id, delivery)
    await until(id, { status: 'delivered', attempts: [{}, {}, {}, { error: null }] })
    expect(await actions()).not.toContain('integration.delivery_retried')
  })

  test('tests an integration that is disabled or refuses, and appends no event', async () => {
    const id = await make()
    await patch(id, { enabled: false })
    const before = await actions()
    expect((await testOf(id)).body).toEqual({
      success: true,
      status_code: 204,
      latency_ms: expect.any(Number),
      error: null,
    })
    expect(JSON.parse(receiver.hits[0]?.body ?? '')).toMatchObject({
      type: 'integration.test',
      data: { id: expect.stringMatching(/^aud_/) },
    })
    receiver.answer(status(410))
    expect((await testOf(id)).body).toMatchObject({ success: false, status_code: 410 })
    expect((await integrationsOf(org).get(id)).body.disabled_reason).toBeNull()
    const incomplete = await integrationsOf(org).make('webhook', {})
    expect((await testOf(incomplete.id)).body).toMatchObject({ success: false, status_code: null })
    expect((await actions()).slice(1)).toEqual(before)
  })

  test('tests no mail in a stage without a sender', async () => {
    vi.stubEnv('MAIL_SENDER', undefined)
    const { id } = await integrationsOf(org).make('email')
    const error = 'This stage sends no mail.'
    expect((await testOf(id)).body).toEqual({ success: false, status_code: null, latency_ms: 0, error })
    vi.unstubAllEnvs()
  })

  test('with a read-only key is denied, and recorded', async () => {
    const id = await make()
    const { body: weak } = await invoke('api-keys/create', {
      token: org.adminKey,
      body: { name: 'weak', scopes: ['integrations:read'] },
    })
    expect((await testOf(id, weak.api_key)).status).toBe(403)
    expect((await actions())[0]).toBe('integration.tested')
  })
})

describe('a replaced signing secret', () => {
  const count = () => String(receiver.hits.at(-1)?.headers['webhook-signature']).split(' ').length
  test('signs beside the new one for 24 h, newest first, and not at a new URL', async () => {
    const id = await make()
    await patch(id, { config: { signing_secret: 'another-secret-0123456789' } })
    await patch(id, { config: { signing_secret: 'a-third-secret-0123456789' } })
    await testOf(id)
    const [first, second] = String(receiver.hits.at(-1)?.headers['webhook-signature']).split(' ')
    const { headers, body } = receiver.hits[0] as Hit
    const by = (secret: string) =>
      `v1,${createHmac('sha256', secret).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest('base64')}`
    expect([first, second]).toEqual([by('a-third-secret-0123456789'), by('another-secret-0123456789')])
    advanceDueClock(24 * 3600 + 1)
    await testOf(id)
    expect(count()).toBe(1)
    await patch(id, { config: { signing_secret } })
    await patch(id, { config: { url: `${receiver.url}/new`, signing_secret: 'at-a-new-url-0123456789' } })
    await testOf(id)
    expect(count()).toBe(1)
  })
})

describe('a slow receiver', () => {
  test('delays no other integration of the organization', async () => {
    const slow = await startReceiver()
    slow.answer(() => {})
    const [slowId, fast] = [await make({}, slow.url), await make()]
    for (let index = 0; index < 12; index++) await makeEvent(org, `event ${index}`)
    const startedMs = Date.now()
    await route(org)
    await vi.waitFor(() => expect(receiver.hits.length).toBeGreaterThanOrEqual(12), { timeout: 10_000 })
    expect(Date.now() - startedMs).toBeLessThan(10_000)
    expect(slow.hits.length).toBeLessThanOrEqual(12)
    slow.close()
    await deleteRow({ pk: `ORG#${org.orgId}`, sk: `INT#${slowId}` })
    expect((await deliveriesOf(org, fast, { status: 'delivered' })).length).toBeGreaterThan(0)
  })
})
