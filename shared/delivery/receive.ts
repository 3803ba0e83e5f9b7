/** Messages of the queue of deliveries, in batches. */
import type { BackgroundFunction } from '../runtime/background.ts'
import { requestIdOf } from '../runtime/deadline.ts'
import { log } from '../runtime/log.ts'
import type { BatchResult } from '../runtime/table-stream.ts'
import { deliver } from './deliver.ts'
import { type DeliveryMessage, toMessage } from './queue.ts'
import { send } from './send.ts'
import { queueAgain } from './turns.ts'

interface QueuedRecord {
  messageId: string
  body: string
}

/** A message that our own failure stopped comes back after this. */
const afterFailureSeconds = 5

/** The Lambda handler of the sender. The messages that it returns stay in the queue. */
export const onDeliveries =
  ({ id: operation }: BackgroundFunction, sending = send) =>
  async (event: { Records: QueuedRecord[] }, context: unknown): Promise<BatchResult> => {
    const run = { operation, request_id: requestIdOf(context) ?? 'unknown' }
    const kept = await Promise.all(
      event.Records.map(async ({ messageId, body }) =>
        (await isDone(body, run, sending)) ? [] : [{ itemIdentifier: messageId }],
      ),
    )
    return { batchItemFailures: kept.flat() }
  }

type Run = {
  operation: string
  request_id: string
}

/** Processes a message, and queues it again if it is wanted again. */
async function isDone(body: string, run: Run, sending: typeof send): Promise<boolean> {
  const message = toMessage(body)
  if (!message) {
    log.error('a message names no delivery', run)
    return true
  }
  const seconds = await secondsUntilNext(message, run, sending)
  if (seconds === undefined) return true
  try {
    await queueAgain(message, seconds)
    return true
  } catch (error) {
    log.warn('a message was not queued again; it comes back by itself', { ...run, error: error as Error })
    return false
  }
}

async function secondsUntilNext(message: DeliveryMessage, run: Run, sending: typeof send) {
  try {
    return await deliver(message, run.request_id, sending)
  } catch (error) {
    const { org_id, delivery_id } = message
    log.error('a delivery could not be processed; its message comes back', {
      ...run,
      ...{ org_id, delivery_id },
      error: error as Error,
    })
    return afterFailureSeconds
  }
}
