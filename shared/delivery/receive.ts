/** Messages of the queue of deliveries, in batches. */
import type { BackgroundFunction } from '../runtime/background.ts'
import { requestIdOf } from '../runtime/deadline.ts'
import { log } from '../runtime/log.ts'
import type { BatchResult } from '../runtime/table-stream.ts'
import { deliver } from './deliver.ts'
import { hide, toMessage } from './queue.ts'
import { send } from './send.ts'

interface QueuedRecord {
  messageId: string
  receiptHandle: string
  body: string
}

/** A message that our own failure stopped comes back after this. */
const afterFailureSeconds = 5

/** The Lambda handler of the sender. The messages that it returns stay in the queue. */
export const onDeliveries =
  ({ id: operation }: BackgroundFunction, sending = send) =>
  async (event: { Records: QueuedRecord[] }, context: unknown): Promise<BatchResult> => {
    const request_id = requestIdOf(context) ?? 'unknown'
    const kept = await Promise.all(
      event.Records.map(async (record) => {
        const seconds = await secondsUntilNext(record, { operation, request_id }, sending)
        if (seconds === undefined) return []
        await hide(record.receiptHandle, seconds).catch((error: Error) =>
          log.warn('a message was not hidden; it comes back by itself', { operation, request_id, error }),
        )
        return [{ itemIdentifier: record.messageId }]
      }),
    )
    return { batchItemFailures: kept.flat() }
  }

async function secondsUntilNext(
  { body }: QueuedRecord,
  run: { operation: string; request_id: string },
  sending: typeof send,
) {
  const message = toMessage(body)
  if (!message) {
    log.error('a message names no delivery', run)
    return undefined
  }
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
