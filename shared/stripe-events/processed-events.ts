/**
 * Processed Stripe events. An event is marked only after its changes are committed, so a crash in between loses
 * nothing.
 */
import { getRow } from '../table/read.ts'
import type { RowKey } from '../table/rows.ts'
import { updateRow } from '../table/update.ts'

/** Stripe retries an event for 3 days and lists it for 30. */
const keepSeconds = 30 * 24 * 60 * 60

const processedKey = (eventId: string): RowKey => ({ pk: `STRIPEEVENT#${eventId}`, sk: 'STRIPEEVENT' })

export const isProcessed = async (eventId: string): Promise<boolean> =>
  (await getRow(processedKey(eventId))) !== undefined

export async function markProcessed(eventId: string, now: Date): Promise<void> {
  await updateRow(processedKey(eventId), {
    UpdateExpression: 'SET expires_at_epoch = :expiry',
    ExpressionAttributeValues: { ':expiry': Math.floor(now.getTime() / 1000) + keepSeconds },
  })
}
