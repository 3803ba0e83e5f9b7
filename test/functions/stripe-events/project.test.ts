/** An event is a hint: the projector asks Stripe, writes what Stripe says, and only then is the event done. */
import Stripe from 'stripe'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { backgroundFunctions } from '../../../functions/background.ts'
import { realTiming } from '../../../shared/runtime/timing.ts'
import { usedActions } from '../../support/access.ts'
import { runFunction } from '../../support/background.ts'
import { billingOf, customersOf } from '../../support/billing.ts'
import { busEvents, eventBus, onBusEvent } from '../../support/event-bus.ts'
import { callsDuring, interceptTable } from '../../support/faults.ts'
import { eventsOf, expectWholeChain } from '../../support/governance.ts'
import { counts, metricsDuring } from '../../support/metrics.ts'
import { makeOrg, type TestOrg } from '../../support/orgs.ts'
import { allRows, hasRow, putRow } from '../../support/rows.ts'
import { localStripe, stripeCallsDuring, withStripeFault } from '../../support/stripe.ts'
import { deliver, stripeEvent } from '../../support/stripe-events.ts'
import { changeAtStripe, makeSubscriber, type Subscriber } from '../../support/subscribers.ts'

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  vi.useRealTimers()
})

const project = 'stripe-events/project'

/** An event as the bus hands it to the projector. */
const envelope = (detail: object, source = 'octomil.stripe') => ({
  version: '0',
  id: '17e8dff5-d6cd-3770-ace9-aeac02b6ac3f',
  'detail-type': (detail as { type?: string }).type ?? 'none',
  source,
  account: '506417113029',
  time: '2026-11-23T18:27:56Z',
  region: 'us-west-2',
  resources: [],
  detail,
})

const run = (detail: object, source?: string): Promise<void> => runFunction(project, envelope(detail, source))

const quantityOf = async (org: TestOrg): Promise<number> => (await billingOf(org).get()).body.subscription.quantity
const synced = (org: TestOrg) => eventsOf(org, 'billing.subscription_synced')
const isDone = (id: string) => hasRow({ pk: `STRIPEEVENT#${id}`, sk: 'STRIPEEVENT' })

let org: Subscriber
beforeEach(async () => {
  org = await makeSubscriber()
})

describe('an event of a known customer', () => {
  test('stores Stripe’s current state, for any content of the event', async () => {
    await changeAtStripe(org, 7)
    const event = stripeEvent({}, { customer: org.customer, status: 'canceled', quantity: 99 })
    const metrics = await metricsDuring(() => run(event))
    expect(await quantityOf(org)).toBe(7)
    const { body } = await billingOf(org).get()
    expect(body).toMatchObject({ plan: { code: 'team' }, projection: { source: 'event', event_id: event.id } })
    expect(counts(metrics, 'StripeEventsProjected')).toEqual([': 1'])
    expect(counts(metrics, 'StripeEventAgeSeconds')).toEqual([expect.stringMatching(/^: [0-5]$/)])
    const last = (await synced(org)).at(-1)
    expect(last).toMatchObject({ actor: { type: 'system', id: 'stripe' }, result: 'success' })
    expect(last?.changes).toEqual([{ field: 'subscription.quantity', before: 1, after: 7 }])
    expect(await isDone(event.id)).toBe(true)
  })

  test('is done once, however often it comes: a second one asks Stripe nothing and writes nothing', async () => {
    const event = stripeEvent({}, { customer: org.customer })
    await run(event)
    const rows = await allRows()
    const metrics = await metricsDuring(async () => {
      expect(await stripeCallsDuring(() => run(event))).toEqual([])
    })
    expect(counts(metrics, 'StripeEventsDuplicate')).toEqual([': 1'])
    expect(await allRows()).toEqual(rows)
  })

  test('that comes late, after a newer one, changes nothing back', async () => {
    const older = stripeEvent({ created: 1 }, { customer: org.customer, quantity: 3 })
    const newer = stripeEvent({}, { customer: org.customer, quantity: 5 })
    await changeAtStripe(org, 3)
    await changeAtStripe(org, 5)
    await run(newer)
    await run(older)
    expect(await quantityOf(org)).toBe(5)
    expect((await synced(org)).at(-1)?.changes).toEqual([{ field: 'subscription.quantity', before: 1, after: 5 }])
  })

  test('may name its customer in any of the ways that Stripe has', async () => {
    const ways: [type: string, object: Record<string, unknown>][] = [
      ['customer.subscription.updated', { id: 'sub_1', object: 'subscription', customer: org.customer }],
      ['customer.subscription.updated', { customer: { id: org.customer, object: 'customer' } }],
      ['customer.updated', { id: org.customer, object: 'customer', customer: undefined }],
      ['customer.deleted', { id: org.customer, object: 'customer', customer: undefined, deleted: true }],
      ['invoice.paid', { id: 'in_1', object: 'invoice', customer: org.customer }],
      ['checkout.session.completed', { id: 'cs_1', object: 'checkout.session', customer: org.customer }],
      [
        'checkout.session.expired',
        { id: 'cs_1', object: 'checkout.session', customer: null, client_reference_id: org.orgId },
      ],
    ]
    for (const [index, [type, object]] of ways.entries()) {
      await changeAtStripe(org, 10 + index)
      await run(stripeEvent({ type }, object))
      expect([type, await quantityOf(org)]).toEqual([type, 10 + index])
    }
  })

  test('needs exactly the actions that its function declares', async () => {
    const { id, access } = backgroundFunctions[project]
    usedActions.delete(id)
    await changeAtStripe(org, 2)
    await run(stripeEvent({}, { customer: org.customer }))
    expect([...(usedActions.get(id) ?? [])].sort()).toEqual([...access.table].sort())
  })
})

describe('an event that is not for us is acknowledged and counted', () => {
  /** Asserts that an event is taken without asking Stripe or writing anything. */
  async function expectPassedOver(send: () => Promise<void>, name: string, reason: string) {
    const rows = await allRows()
    const metrics = await metricsDuring(async () => {
      expect(await stripeCallsDuring(send)).toEqual([])
    })
    expect(metrics.map((metric) => [metric.name, metric.reason, metric.value])).toEqual([[name, reason, 1]])
    expect(await allRows()).toEqual(rows)
  }

  test.each(['payment_intent.succeeded', 'invoice.created', 'customer', 'billing.credit_grant.created', 'v9.new.type'])(
    'of the type %s',
    async (type) => {
      await expectPassedOver(
        () => run(stripeEvent({ type }, { customer: org.customer })),
        'StripeEventsUnknown',
        'type',
      )
    },
  )

  test('of another product of the same account', async () => {
    for (const object of [
      { customer: 'cus_of_another_product' },
      { customer: null },
      { customer: 7 },
      { customer: { object: 'customer' } },
      { customer: null, client_reference_id: 'order 66' },
      { customer: null, client_reference_id: 'org_01jd3v7k3q9x5m2n8r4t6w0y1z' },
    ]) {
      await expectPassedOver(() => run(stripeEvent({}, object)), 'StripeEventsUnknown', 'customer')
    }
  })

  test('that claims an org for a customer that the org was never bound to', async () => {
    const { orgId } = await makeOrg()
    const session = { object: 'checkout.session', client_reference_id: orgId }
    for (const customer of ['cus_somebody', null]) {
      const event = stripeEvent({ type: 'checkout.session.completed' }, { ...session, customer })
      await expectPassedOver(() => run(event), 'StripeEventsUnknown', 'customer')
    }
  })

  test('of a connected account, unless it is the one that is configured', async () => {
    const event = stripeEvent({ account: 'acct_1' }, { customer: org.customer })
    await expectPassedOver(() => run(event), 'StripeEventsRefused', 'account')
    vi.stubEnv('STRIPE_ACCOUNT', 'acct_2')
    await expectPassedOver(() => run(event), 'StripeEventsRefused', 'account')
    vi.stubEnv('STRIPE_ACCOUNT', 'acct_1')
    expect(await stripeCallsDuring(() => run(event))).not.toEqual([])
  })

  test('of the other mode', async () => {
    const event = stripeEvent({ livemode: true }, { customer: org.customer })
    await expectPassedOver(() => run(event), 'StripeEventsRefused', 'livemode')
  })

  test.each([
    ['nothing', undefined],
    ['text', 'evt_1'],
    ['an envelope without an event', { source: 'octomil.stripe' }],
    ['a thin event', envelope({ ...stripeEvent(), object: 'v2.core.event' })],
    ['an event without an id', envelope({ ...stripeEvent(), id: '' })],
    ['an event without an object', envelope({ ...stripeEvent(), data: null })],
  ])('that is %s', async (_what, event) => {
    await expectPassedOver(() => runFunction(project, event), 'StripeEventsRefused', 'malformed')
  })
})

describe('a partner event source', () => {
  const source = 'aws.partner/stripe.com/ed_61PgtRTG5aTCIz98516PLsRGLISQK0Otk6FWKjBrcDia'

  test('that the stage names feeds the same projection', async () => {
    vi.stubEnv('STRIPE_PARTNER_SOURCE', source)
    await changeAtStripe(org, 4)
    await run(stripeEvent({}, { customer: org.customer }), source)
    expect(await quantityOf(org)).toBe(4)
  })

  test('and the webhook may both bring an event; it is done once', async () => {
    vi.stubEnv('STRIPE_PARTNER_SOURCE', source)
    const event = stripeEvent({}, { customer: org.customer })
    await run(event, source)
    expect(await stripeCallsDuring(() => run(event))).toEqual([])
  })

  test.each(['aws.partner/stripe.com/ed_other', 'aws.partner/shopify.com/1', 'octomil.stripe.evil', '', `${source}x`])(
    'or any other source that the stage does not name is refused: %s',
    async (other) => {
      vi.stubEnv('STRIPE_PARTNER_SOURCE', source)
      const metrics = await metricsDuring(() => run(stripeEvent({}, { customer: org.customer }), other))
      expect(metrics.map(({ name, reason }) => [name, reason])).toEqual([['StripeEventsRefused', 'source']])
    },
  )

  test('is read as the package of Stripe reads it', () => {
    const { webhooks } = new Stripe('sk_test_x')
    const event = stripeEvent()
    expect(webhooks.constructEventWithoutVerification(JSON.stringify(envelope(event, source)))).toEqual(event)
    const thin = { ...event, object: 'v2.core.event' }
    expect(() => webhooks.constructEventWithoutVerification(JSON.stringify(envelope(thin, source)))).toThrow(/thin/)
  })
})

describe('when something fails', () => {
  test('at Stripe, the event is not done, and the next attempt brings it in', async () => {
    await changeAtStripe(org, 6)
    const event = stripeEvent({}, { customer: org.customer })
    await withStripeFault({ kind: 'error', status: 500 }, async () => {
      await expect(run(event)).rejects.toThrow(/Stripe/)
    })
    expect([await quantityOf(org), await isDone(event.id)]).toEqual([1, false])
    await run(event)
    expect([await quantityOf(org), await isDone(event.id)]).toEqual([6, true])
  })

  test('between the commit and the mark, the event comes again and changes nothing more', async () => {
    await changeAtStripe(org, 6)
    const event = stripeEvent({}, { customer: org.customer })
    const before = (await synced(org)).length
    const attempt = interceptTable(
      ({ command, rows }, send) => {
        const isMark = command === 'UpdateItemCommand' && rows[0] === `STRIPEEVENT#${event.id} STRIPEEVENT`
        return isMark ? Promise.reject(new Error('the function died')) : send()
      },
      () => run(event),
    )
    await expect(attempt).rejects.toThrow('the function died')
    expect([await quantityOf(org), await isDone(event.id)]).toEqual([6, false])
    await run(event)
    expect(await isDone(event.id)).toBe(true)
    expect((await synced(org)).length).toBe(before + 1)
    await expectWholeChain(org)
  })

  test('nothing was marked: the mark is the very last write', async () => {
    await changeAtStripe(org, 8)
    const event = stripeEvent({}, { customer: org.customer })
    const calls = await callsDuring(() => run(event))
    const writes = calls.filter(({ command }) => !/^(GetItem|Query)/.test(command))
    expect(writes.at(-1)?.rows).toEqual([`STRIPEEVENT#${event.id} STRIPEEVENT`])
    expect(writes.filter(({ rows }) => rows.some((row) => row.startsWith('STRIPEEVENT#')))).toHaveLength(1)
  })

  test('because another sync of the customer holds the lease for too long, the event is tried again later', async () => {
    const pk = `ORG#${org.orgId}`
    const held = { owner: 'somebody', lease_until_ms: Date.now() + 60_000 }
    await putRow({ pk, sk: `LOCK#STRIPE#${org.customer}`, ...held })
    const event = stripeEvent({}, { customer: org.customer })
    const sleep = vi.spyOn(realTiming, 'sleep').mockResolvedValue()
    await expect(run(event)).rejects.toMatchObject({ code: 'conflict' })
    const waitedMs = sleep.mock.calls.reduce((sum, [ms]) => sum + ms, 0)
    expect(waitedMs).toBeGreaterThan(5000)
    expect(waitedMs).toBeLessThanOrEqual(6000)
    expect(await isDone(event.id)).toBe(false)
    await putRow({ pk, sk: `LOCK#STRIPE#${org.customer}`, ...held, lease_until_ms: 1 })
    await run(event)
    expect(await isDone(event.id)).toBe(true)
  })

  test('for good, the event is a dead letter after three attempts, with its content and the error', async () => {
    onBusEvent((event) => runFunction(project, event))
    const event = stripeEvent({}, { customer: org.customer })
    await withStripeFault({ kind: 'error', status: 500 }, async () => {
      expect((await deliver(event)).status).toBe(200)
      await eventBus.idle()
    })
    expect(eventBus.deadLetters.at(-1)).toMatchObject({
      requestContext: { condition: 'RetriesExhausted', approximateInvokeCount: 3 },
      requestPayload: { source: 'octomil.stripe', detail: event },
      responsePayload: { errorType: 'ProblemError', errorMessage: expect.stringContaining('Stripe') },
    })
  })

  test('while there is no key, the event waits instead of being passed over', async () => {
    vi.stubEnv('STRIPE_SECRET_KEY', '')
    const event = stripeEvent({}, { customer: org.customer })
    await expect(run(event)).rejects.toMatchObject({ code: 'service_unavailable' })
    expect(await isDone(event.id)).toBe(false)
  })
})

test('twenty concurrent events of a customer end in Stripe’s state, with one audit event, and all are done', async () => {
  const before = (await synced(org)).length
  await changeAtStripe(org, 12)
  const events = Array.from({ length: 20 }, () => stripeEvent({}, { customer: org.customer }))
  // Those that waited too long for the lease are tried again, as Lambda does.
  for (let waiting = events, attempt = 0; waiting.length > 0 && attempt < 5; attempt++) {
    const outcomes = await Promise.allSettled(waiting.map((event) => run(event)))
    waiting = waiting.filter((_event, index) => outcomes[index]?.status === 'rejected')
  }
  expect(await quantityOf(org)).toBe(12)
  expect((await synced(org)).length).toBe(before + 1)
  for (const { id } of events) expect(await isDone(id)).toBe(true)
  await expectWholeChain(org)
})

test('from Stripe’s own delivery to the projection: webhook, bus, rule, projector', async () => {
  onBusEvent((event) => runFunction(project, event))
  const stripe = await localStripe()
  const known = new Set(stripe.engine.store.all('event').map(({ id }) => id))
  await changeAtStripe(org, 9)
  const emitted = stripe.engine.store.all('event').filter(({ id }) => !known.has(id))
  expect(emitted.map(({ type }) => type)).toContain('customer.subscription.updated')
  const before = busEvents.length
  for (const event of emitted) expect((await deliver(event)).status).toBe(200)
  await eventBus.idle()
  expect(busEvents.length).toBe(before + emitted.length)
  expect(await quantityOf(org)).toBe(9)
  expect(await customersOf(org)).toHaveLength(1)
})
