/** The queue of deliveries. A message names a delivery; what is sent is read when it is sent. */
import { ChangeMessageVisibilityCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { awsClientSettings } from '../runtime/aws-client.ts'
import { requiredEnvironment } from '../runtime/environment.ts'
import { object, text } from '../untrusted.ts'
import type { DeliveryRef } from './delivery.ts'

export interface DeliveryMessage extends DeliveryRef {
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

const send = async (QueueUrl: string, message: DeliveryMessage): Promise<void> => {
  await sqs().send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(message) }))
}

export const enqueue = (message: DeliveryMessage): Promise<void> =>
  send(requiredEnvironment('deliveryQueueUrl'), message)

/** Puts the message of a failed delivery into the dead-letter queue. A replay tries the delivery once more. */
export const bury = ({ requested: _requested, ...ref }: DeliveryMessage): Promise<void> =>
  send(requiredEnvironment('deliveryDeadLettersUrl'), { ...ref, again: true })

/** SQS hides a message for at most 12 h after it was received. */
const maxHiddenSeconds = 12 * 3600 - 60

/** Hides a received message for this long. */
export async function hide(ReceiptHandle: string, seconds: number): Promise<void> {
  const QueueUrl = requiredEnvironment('deliveryQueueUrl')
  const VisibilityTimeout = Math.max(0, Math.min(maxHiddenSeconds, Math.ceil(seconds)))
  await sqs().send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout }))
}

/** The message in a body; undefined if it is none. */
export function toMessage(body: string): DeliveryMessage | undefined {
  const parsed = object(parse(body))
  const [org_id, integration_id] = [text(parsed.org_id), text(parsed.integration_id)]
  const [delivery_id, event_id] = [text(parsed.delivery_id), text(parsed.event_id)]
  if (!org_id || !integration_id || !delivery_id || !event_id) return undefined
  const requested = text(parsed.requested)
  return {
    ...{ org_id, integration_id, delivery_id, event_id },
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
