/**
 * The messages of a delivery. SQS hides a limited number of received messages (120,000), and delays any number: so a message that
 * waits is queued again. The row then names its successor, so repetitions of earlier messages end.
 */
import { updateRowIf } from '../table/update.ts'
import { type Delivery, deliveryKey } from './delivery.ts'
import { type DeliveryMessage, enqueue } from './queue.ts'

/** Queues a message again. If it rejects, the message must stay in the queue: its successor may be there too. */
export async function queueAgain(message: DeliveryMessage, seconds: number): Promise<void> {
  // An attempt that was requested, or a replayed one: no schedule follows it.
  if (message.turn === undefined) return enqueue(message, seconds)
  const [turn, ticket] = [message.turn + 1, Math.floor(Math.random() * 2 ** 32)]
  await enqueue({ ...message, turn, ticket }, seconds)
  // A row that names another message of this turn, or a later one, keeps it.
  await updateRowIf(deliveryKey(message), {
    UpdateExpression: 'SET turn = :turn, ticket = :ticket',
    ConditionExpression: 'attribute_exists(pk) AND (attribute_not_exists(turn) OR turn < :turn)',
    ExpressionAttributeValues: { ':turn': turn, ':ticket': ticket },
  })
}

/** Whether the row names the message, or does not name it yet because a sender died. */
export const isCurrent = ({ turn = 0, ticket }: Delivery, message: DeliveryMessage): boolean =>
  message.turn === undefined || message.turn > turn || (message.turn === turn && message.ticket === ticket)
