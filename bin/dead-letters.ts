/**
 * The dead letters of a stage: what each was, why it failed, and how it goes back to where it came from. An event goes back
 * on the bus, and the projector does one event once, so that to replay is safe however often it is done.
 */
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge'
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import * as z from 'zod'
import { operatorSource, partnerSourcePrefix, sweepRequested, webhookSource } from '../shared/stripe-events/event.ts'

export const queueNames = ['project', 'sweep'] as const
export type QueueName = (typeof queueNames)[number]

export interface DeadLetter {
  receipt: string
  /** When it came into the queue. */
  buriedAt: string
  /** The event's id and type, as far as they can be read. */
  what: string
  attempts: string
  why: string
  /** What EventBridge handed the function; undefined for what is none of ours. */
  envelope: Envelope | undefined
}

/** What EventBridge hands its targets, as far as it is read. */
const envelopeSchema = z.object({ source: z.string(), 'detail-type': z.string(), detail: z.looseObject({}) })
type Envelope = z.infer<typeof envelopeSchema>

/** A message of Lambda's, which wraps what the function was handed; a rule's message is that itself. */
const wrappedSchema = z.object({
  requestContext: z.object({ condition: z.string(), approximateInvokeCount: z.number() }),
  requestPayload: z.unknown(),
  responsePayload: z.object({ errorType: z.string(), errorMessage: z.string() }).optional().catch(undefined),
})

/** For so long nobody else is handed what was taken: the time that a person has to decide. */
const holdSeconds = 15 * 60
/** One run takes no more; what is left is for the next. */
const mostLetters = 500

/** Takes what is in a queue. Nothing is gone by that: each letter is to be replayed or given back. */
export async function takeDeadLetters(queueUrl: string, sqs = sqsClient()): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  while (letters.length < mostLetters) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: holdSeconds,
        // A short poll asks some of SQS's servers only, and can find nothing where there is something.
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

/** Hands letters back to the queue, for everybody to see. */
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
}

/** Sends letters back to where they came from, and takes each out of the queue once it is taken there; the others are handed back. */
export async function replay(
  letters: readonly DeadLetter[],
  { queue, queueUrl, busName }: Route,
  sqs = sqsClient(),
): Promise<DeadLetter[]> {
  const bus = new EventBridgeClient({})
  const left: DeadLetter[] = []
  // One sweep makes up for all that have failed; several at once would be in each other's way.
  const groups = queue === 'sweep' ? [letters] : letters.map((letter) => [letter])
  for (const group of groups) {
    const entry = queue === 'sweep' ? sweepRequest : eventOf(group[0])
    if (!entry || !(await isTaken(bus, { ...entry, EventBusName: busName }))) {
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

/** Nobody but Stripe can put events in a partner's name; to the projector, our own webhook's are the same. */
function eventOf({ envelope }: Partial<DeadLetter> = {}): PutEventsRequestEntry | undefined {
  if (!envelope) return undefined
  const { source, 'detail-type': DetailType, detail } = envelope
  if (source !== webhookSource && !source.startsWith(partnerSourcePrefix)) return undefined
  return { Source: webhookSource, DetailType, Detail: JSON.stringify(detail) }
}

/** Whether the bus has taken an entry; it can refuse one in an answer that is otherwise fine. */
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
  const told = (name: string) => MessageAttributes[name]?.StringValue
  const { errorType, errorMessage } = wrapped?.responsePayload ?? {}
  const why = wrapped
    ? [wrapped.requestContext.condition, errorType, errorMessage]
    : [told('ERROR_CODE'), told('ERROR_MESSAGE')]
  return {
    receipt: ReceiptHandle,
    buriedAt: new Date(Number(Attributes?.SentTimestamp ?? 0)).toISOString(),
    what: envelope ? `${idOf(envelope)} ${envelope['detail-type']}` : 'what cannot be read',
    attempts: String(wrapped?.requestContext.approximateInvokeCount ?? told('RETRY_ATTEMPTS') ?? 'unknown'),
    why: why.filter((part) => part !== undefined).join(': ') || 'unknown',
    envelope,
  }
}

const idOf = ({ detail, source }: Envelope): string => (typeof detail.id === 'string' ? detail.id : source)

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The address of a queue names the queue and not always where it is reached. */
const sqsClient = (): SQSClient => new SQSClient({ useQueueUrlAsEndpoint: false })
