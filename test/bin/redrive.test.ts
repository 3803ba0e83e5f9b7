/** A dead letter is replayed to the bus, and deleted only after the bus accepts it. Repetitions have one effect. */
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { giveBack, type QueueName, replay, takeDeadLetters } from '../../bin/dead-letters.ts'
import { localBusName } from '../../local/eventbridge.ts'
import { runFunction } from '../support/background.ts'
import { billingOf } from '../support/billing.ts'
import { busEvents, eventBus, onBusEvent } from '../support/event-bus.ts'
import { counts, metricsDuring } from '../support/metrics.ts'
import { mockClientHere } from '../support/mock-client.ts'
import { makeBusyOrg } from '../support/orgs.ts'
import { withStripeFault } from '../support/stripe.ts'
import { deliver, stripeEvent } from '../support/stripe-events.ts'

const queueUrl = 'https://sqs.invalid/queue'
const deliveryQueueUrl = 'https://sqs.invalid/deliveries'
const sqs = mockClientHere(SQSClient)
/** Messages in the queue, visible and in flight. */
let queue: { message: Message; visible: boolean }[]
let customer: string

beforeAll(async () => {
  const { body } = await billingOf(await makeBusyOrg()).subscribe()
  customer = body.customer_id
})

beforeEach(() => {
  queue = []
  sqs.reset()
  sqs.on(ReceiveMessageCommand).callsFake(() => {
    const taken = queue.filter(({ visible }) => visible).slice(0, 10)
    for (const entry of taken) entry.visible = false
    return { Messages: taken.map(({ message }) => message) }
  })
  sqs.on(DeleteMessageCommand).callsFake(({ ReceiptHandle }) => {
    queue = queue.filter(({ message }) => message.ReceiptHandle !== ReceiptHandle)
  })
  sqs.on(ChangeMessageVisibilityCommand).callsFake(({ ReceiptHandle }) => {
    for (const entry of queue) if (entry.message.ReceiptHandle === ReceiptHandle) entry.visible = true
  })
  onBusEvent((event) => runFunction('stripe-events/project', event))
})

function bury(body: object | string, attributes: Record<string, string> = {}): void {
  const MessageAttributes = Object.fromEntries(
    Object.entries(attributes).map(([name, StringValue]) => [name, { DataType: 'String', StringValue }]),
  )
  const message = {
    ReceiptHandle: `receipt-${queue.length}`,
    Body: typeof body === 'string' ? body : JSON.stringify(body),
    Attributes: { SentTimestamp: '1795000000000' },
    MessageAttributes,
  }
  queue.push({ message, visible: true })
}

/** An event in the envelope of a rule. */
const envelope = (detail: object, source = 'octomil.stripe') => ({
  'detail-type': 'customer.subscription.updated',
  source,
  detail,
})
const ruleSays = { ERROR_CODE: 'NO_PERMISSIONS', ERROR_MESSAGE: 'not allowed', RETRY_ATTEMPTS: '185' }

async function redrive(name: QueueName = 'project', busName = localBusName): Promise<number> {
  const letters = await takeDeadLetters(queueUrl)
  const left = await replay(letters, { queue: name, queueUrl, busName, deliveryQueueUrl })
  await giveBack(queueUrl, left)
  await eventBus.idle()
  return left.length
}

describe('an event that could not be projected', () => {
  test('is projected once, although its rule and its function both failed it and it is replayed twice', async () => {
    const event = stripeEvent({}, { customer })
    await withStripeFault({ kind: 'error', status: 500 }, async () => {
      expect((await deliver(event)).status).toBe(200)
      await eventBus.idle()
    })
    const wrapped = eventBus.deadLetters.at(-1) as object
    const metrics = await metricsDuring(async () => {
      bury(wrapped)
      expect(await redrive()).toBe(0)
      bury(envelope(event), ruleSays)
      bury(wrapped)
      expect(await redrive()).toBe(0)
    })
    expect(queue).toEqual([])
    expect(counts(metrics, 'StripeEventsProjected')).toEqual([': 1'])
    expect(counts(metrics, 'StripeEventsDuplicate')).toEqual([': 1', ': 1'])
  })

  test('of a partner source is replayed as a webhook event, because only Stripe can put partner events', async () => {
    const event = stripeEvent({}, { customer })
    bury(envelope(event, 'aws.partner/stripe.com/ed_1'))
    const metrics = await metricsDuring(redrive)
    expect(counts(metrics, 'StripeEventsProjected')).toEqual([': 1'])
    expect(busEvents.at(-1)).toMatchObject({ source: 'octomil.stripe', detail: event })
  })

  test('is listed with its type, attempts and error, in either form', async () => {
    bury(envelope(stripeEvent({ id: 'evt_a' })), ruleSays)
    bury({
      requestContext: { condition: 'RetriesExhausted', approximateInvokeCount: 3 },
      requestPayload: envelope(stripeEvent({ id: 'evt_b' })),
      responsePayload: { errorType: 'ProblemError', errorMessage: 'Stripe does not answer' },
    })
    const told = (await takeDeadLetters(queueUrl)).map(({ what, attempts, why }) => [what, attempts, why])
    expect(told).toEqual([
      ['evt_a customer.subscription.updated', '185', 'NO_PERMISSIONS: not allowed'],
      ['evt_b customer.subscription.updated', '3', 'RetriesExhausted: ProblemError: Stripe does not answer'],
    ])
  })
})

describe('a delivery that failed', () => {
  const ref = { org_id: 'org_1', integration_id: 'int_1', delivery_id: 'dlv_1', event_id: 'aud_1', again: true }

  test('goes back to its queue as it was sent; other messages stay', async () => {
    sqs.on(SendMessageCommand).resolves({})
    for (const body of [ref, { ...ref, again: false }, {}]) bury(body)
    expect(await redrive('deliveries')).toBe(2)
    const sent = sqs.commandCalls(SendMessageCommand).map(({ args }) => args[0].input)
    expect(sent).toEqual([{ QueueUrl: deliveryQueueUrl, MessageBody: JSON.stringify(ref) }])
    expect(queue.map(({ visible }) => visible)).toEqual([true, true])
  })

  test('is listed by its ids', async () => {
    bury(ref)
    expect((await takeDeadLetters(queueUrl))[0]).toMatchObject({ what: 'dlv_1 of aud_1 to int_1' })
  })
})

describe('a letter stays visible in the queue', () => {
  test('if it was only listed', async () => {
    bury(envelope(stripeEvent()))
    await giveBack(queueUrl, await takeDeadLetters(queueUrl))
    expect(queue.map(({ visible }) => visible)).toEqual([true])
  })

  test('if it is unreadable or not a Stripe event; the others are replayed', async () => {
    for (const body of ['{', {}, envelope({}, 'aws.s3'), envelope(stripeEvent({}, { customer }))]) bury(body)
    expect(await redrive()).toBe(3)
    expect(queue.map(({ visible }) => visible)).toEqual([true, true, true])
  })

  test('if the bus refuses it', async () => {
    bury(envelope('none' as unknown as object))
    bury({ ...envelope(stripeEvent()), 'detail-type': '' })
    expect(await redrive()).toBe(2)
    expect(queue).toHaveLength(2)
  })
})

test('one run replays more than one page of dead letters', async () => {
  for (let count = 0; count < 25; count++) bury(envelope(stripeEvent()))
  expect(await redrive()).toBe(0)
  expect(queue).toEqual([])
})

test('all failed sweeps are replayed by one sweep, with all their dead letters', async () => {
  for (let count = 0; count < 3; count++) bury({ source: 'aws.events', 'detail-type': 'Scheduled Event', detail: {} })
  const before = busEvents.length
  expect(await redrive('sweep')).toBe(0)
  expect(queue).toEqual([])
  // The local bus has no rule for it: that the sweep is then started, the deploy test and the templates prove.
  expect(busEvents.length).toBe(before)
})
