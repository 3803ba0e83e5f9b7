/** The queue of deliveries. A message names a delivery; what is sent is read when it is sent. */
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { awsClientSettings } from '../runtime/aws-client.ts'
import { requiredEnvironment } from '../runtime/environment.ts'
import { object, text } from '../untrusted.ts'
import type { DeliveryRef } from './delivery.ts'

export interface DeliveryMessage extends DeliveryRef {
  /** Its place among the messages of the schedule, and its number there (`isCurrent`). */
  turn?: number
  ticket?: number
  /** The attempt that a caller requested. Absent: the schedule's. */
  requested?: string
  /** It was in the dead-letter queue: the delivery is tried once more. */
  again?: true
}

let shared: SQSClient | undefined

/** The client, made on first use. */
export function sqs(): SQSClient {
  shared ??= new SQSClient(awsClientSettings)
  return shared
}

const send = async (QueueUrl: string, message: DeliveryMessage, DelaySeconds = 0): Promise<void> => {
  await sqs().send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(message), DelaySeconds }))
}

/** SQS delays a message for at most 15 minutes. A longer wait takes several messages. */
const maxDelaySeconds = 900

/** Queues a message, which is received no earlier than after this delay, or 15 minutes if that is less. */
export const enqueue = (message: DeliveryMessage, seconds = 0): Promise<void> =>
  send(requiredEnvironment('deliveryQueueUrl'), message, Math.max(0, Math.min(maxDelaySeconds, Math.ceil(seconds))))

/** Puts the message of a failed delivery into the dead-letter queue. A replay tries the delivery once more. */
export const bury = ({ requested: _requested, turn: _turn, ticket: _ticket, ...ref }: DeliveryMessage): Promise<void> =>
  send(requiredEnvironment('deliveryDeadLettersUrl'), { ...ref, again: true })

/** The message in a body; undefined if it is none. */
export function toMessage(body: string): DeliveryMessage | undefined {
  const parsed = object(parse(body))
  const [org_id, integration_id] = [text(parsed.org_id), text(parsed.integration_id)]
  const [delivery_id, event_id] = [text(parsed.delivery_id), text(parsed.event_id)]
  if (!org_id || !integration_id || !delivery_id || !event_id) return undefined
  const requested = text(parsed.requested)
  return {
    ...{ org_id, integration_id, delivery_id, event_id },
    ...(typeof parsed.turn === 'number' ? { turn: parsed.turn } : {}),
    ...(typeof parsed.ticket === 'number' ? { ticket: parsed.ticket } : {}),
    ...(requested ? { requested } : {}),
    ...(parsed.again === true ? { again: true } : {}),
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
