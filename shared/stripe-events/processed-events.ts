/** Which events of Stripe are done. One is marked only when what it led to is committed, so that a death between the two loses nothing. */
import { getRow } from '../table/read.ts'
import type { RowKey } from '../table/rows.ts'
import { updateRow } from '../table/update.ts'

/** Stripe sends an event again for 3 days and lists it for 30. */
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
