/** Readers of the table's stream. */
import type { BackgroundFunction } from './background.ts'
import { requestIdOf } from './deadline.ts'
import { log } from './log.ts'

/** One record of the stream, as far as readers use it. */
export interface StreamRecord {
  dynamodb?: {
    Keys?: { pk?: { S?: string }; sk?: { S?: string } }
    SequenceNumber?: string
    /** Epoch seconds. */
    ApproximateCreationDateTime?: number
  }
}

/** What Lambda retries: everything from the first of these records on. */
export interface BatchResult {
  batchItemFailures: { itemIdentifier: string }[]
}

/** Reads a batch; returns the records that it could not process. */
export type ReadBatch = (records: readonly StreamRecord[]) => Promise<readonly StreamRecord[]>

/** The Lambda handler of a stream's reader. */
export const onTableStream =
  ({ id }: BackgroundFunction, read: ReadBatch) =>
  async (event: { Records: StreamRecord[] }, context: unknown): Promise<BatchResult> => {
    try {
      const failed = await read(event.Records)
      const numbers = failed.map(({ dynamodb }) => ({ itemIdentifier: dynamodb?.SequenceNumber ?? '' }))
      return { batchItemFailures: numbers }
    } catch (error) {
      log.error('a background function failed', {
        operation: id,
        request_id: requestIdOf(context),
        error: error as Error,
      })
      throw error
    }
  }
