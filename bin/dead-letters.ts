/**
 * The dead letters of a stage: content, error and replay. A replayed event goes to the bus again. The projector processes each event
 * once, so repeated replays are safe. A replayed delivery goes to its queue, and is tried once more if it is failed.
 */
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge'
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import * as z from 'zod'
import { operatorSource, partnerSourcePrefix, sweepRequested, webhookSource } from '../shared/stripe-events/event.ts'

export const queueNames = ['project', 'sweep', 'deliveries'] as const
export type QueueName = (typeof queueNames)[number]

export interface DeadLetter {
  receipt: string
  /** Time of arrival in the queue. */
  buriedAt: string
  /** The event's id and type, if readable. */
  what: string
  attempts: string
  why: string
  /** EventBridge's input of the function; undefined for foreign messages. */
  envelope: Envelope | undefined
  /** The message of a delivery, as it was sent. */
  delivery: string | undefined
}

/** The fields of EventBridge's envelope that are read. */
const envelopeSchema = z.object({ source: z.string(), 'detail-type': z.string(), detail: z.looseObject({}) })
type Envelope = z.infer<typeof envelopeSchema>

/** The message of a failed delivery. */
const deliverySchema = z.strictObject({
  ...{ org_id: z.string(), integration_id: z.string(), delivery_id: z.string(), event_id: z.string() },
  again: z.literal(true),
})

/** A message of Lambda, which wraps the function's input. A rule's message is the input itself. */
const wrappedSchema = z.object({
  requestContext: z.object({ condition: z.string(), approximateInvokeCount: z.number() }),
  requestPayload: z.unknown(),
  responsePayload: z.object({ errorType: z.string(), errorMessage: z.string() }).optional().catch(undefined),
})

/** Received messages stay hidden from other receivers for this time: a person can decide meanwhile. */
const holdSeconds = 15 * 60
/** Maximum per run. The next run takes the rest. */
const maxLetters = 500

/** Receives a queue's messages without deleting them: replay or return each letter. */
export async function takeDeadLetters(queueUrl: string, sqs = sqsClient()): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  while (letters.length < maxLetters) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: holdSeconds,
        // A short poll asks only some of SQS's servers, and can miss messages.
        WaitTimeSeconds: 1,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['SentTimestamp'],
      }),
    )
    if (Messages.length === 0) break
    letters.push(...Messages.map(readDeadLetter))
  }
  return letters
}

/** Returns letters to the queue, visible to all receivers. */
export async function giveBack(queueUrl: string, letters: readonly DeadLetter[], sqs = sqsClient()): Promise<void> {
  for (const { receipt } of letters) {
    const message = { QueueUrl: queueUrl, ReceiptHandle: receipt, VisibilityTimeout: 0 }
    await sqs.send(new ChangeMessageVisibilityCommand(message))
  }
}

interface Route {
  queue: QueueName
  queueUrl: string
  busName: string
  /** The queue that deliveries go back to. */
  deliveryQueueUrl: string
}

/** Replays letters. Deletes each from the queue after its destination accepts it, and returns the others. */
export async function replay(
  letters: readonly DeadLetter[],
  { queue, queueUrl, busName, deliveryQueueUrl }: Route,
  sqs = sqsClient(),
): Promise<DeadLetter[]> {
  const bus = new EventBridgeClient({})
  const left: DeadLetter[] = []
  // One sweep replaces all failed ones; concurrent sweeps would conflict.
  const groups = queue === 'sweep' ? [letters] : letters.map((letter) => [letter])
  for (const group of groups) {
    const isAccepted =
      queue === 'deliveries'
        ? await isQueued(sqs, deliveryQueueUrl, group[0]?.delivery)
        : await isOnBus(bus, busName, queue === 'sweep' ? sweepRequest : eventOf(group[0]))
    if (!isAccepted) {
      left.push(...group)
      continue
    }
    for (const { receipt } of group) {
      await sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: receipt }))
    }
  }
  return left
}

const sweepRequest: PutEventsRequestEntry = { Source: operatorSource, DetailType: sweepRequested, Detail: '{}' }

/** Only Stripe can put events of a partner source. The projector treats our webhook's events alike. */
function eventOf({ envelope }: Partial<DeadLetter> = {}): PutEventsRequestEntry | undefined {
  if (!envelope) return undefined
  const { source, 'detail-type': DetailType, detail } = envelope
  if (source !== webhookSource && !source.startsWith(partnerSourcePrefix)) return undefined
  return { Source: webhookSource, DetailType, Detail: JSON.stringify(detail) }
}

async function isQueued(sqs: SQSClient, QueueUrl: string, MessageBody: string | undefined): Promise<boolean> {
  if (MessageBody === undefined) return false
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody }))
  return true
}

const isOnBus = async (
  bus: EventBridgeClient,
  EventBusName: string,
  entry: PutEventsRequestEntry | undefined,
): Promise<boolean> => entry !== undefined && isTaken(bus, { ...entry, EventBusName })

/** Checks that the bus accepted an entry: it can refuse one inside a successful answer. */
async function isTaken(bus: EventBridgeClient, entry: PutEventsRequestEntry): Promise<boolean> {
  const { FailedEntryCount, Entries = [] } = await bus.send(new PutEventsCommand({ Entries: [entry] }))
  if (FailedEntryCount === 0) return true
  console.error(`the bus refused ${entry.DetailType}: ${Entries[0]?.ErrorCode} ${Entries[0]?.ErrorMessage ?? ''}`)
  return false
}

/** Reads a message in either form. */
function readDeadLetter({ ReceiptHandle = '', Body = '', Attributes, MessageAttributes = {} }: Message): DeadLetter {
  const body = parse(Body)
  const wrapped = wrappedSchema.safeParse(body).data
  const envelope = envelopeSchema.safeParse(wrapped ? wrapped.requestPayload : body).data
  const delivery = deliverySchema.safeParse(body).data
  const told = (name: string) => MessageAttributes[name]?.StringValue
  const { errorType, errorMessage } = wrapped?.responsePayload ?? {}
  const why = wrapped
    ? [wrapped.requestContext.condition, errorType, errorMessage]
    : [told('ERROR_CODE'), told('ERROR_MESSAGE')]
  return {
    receipt: ReceiptHandle,
    buriedAt: new Date(Number(Attributes?.SentTimestamp ?? 0)).toISOString(),
    what: envelope ? `${idOf(envelope)} ${envelope['detail-type']}` : nameOf(delivery),
    attempts: String(wrapped?.requestContext.approximateInvokeCount ?? told('RETRY_ATTEMPTS') ?? 'unknown'),
    why: why.filter((part) => part !== undefined).join(': ') || (delivery ? 'the list of deliveries says' : 'unknown'),
    envelope,
    delivery: delivery && Body,
  }
}

const nameOf = (delivery: z.infer<typeof deliverySchema> | undefined): string =>
  delivery ? `${delivery.delivery_id} of ${delivery.event_id} to ${delivery.integration_id}` : 'unreadable message'

const idOf = ({ detail, source }: Envelope): string => (typeof detail.id === 'string' ? detail.id : source)

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A queue's URL identifies the queue, but may not be its reachable address. */
const sqsClient = (): SQSClient => new SQSClient({ useQueueUrlAsEndpoint: false })
