/** Writing the projection of an org's subscriptions, in the order of the syncs. */
import { StaleReadError } from '../storage/commit.ts'
import { orgPartition, type RowKey } from '../table/rows.ts'
import { updateRow, updateRowIf } from '../table/update.ts'
import { updateIf, type Write } from '../table/writes.ts'
import type { BillingProjection } from './projection.ts'
import { billingKey, unchangedSince } from './rows.ts'

const syncSeqKey = (orgId: string): RowKey => ({ pk: orgPartition(orgId), sk: 'BILLINGSEQ' })

/** Issues a sync number, higher than every earlier one of the org. */
export async function nextSyncSeq(orgId: string): Promise<number> {
  const row = await updateRow(syncSeqKey(orgId), {
    UpdateExpression: 'ADD #seq :one',
    ExpressionAttributeNames: { '#seq': 'seq' },
    ExpressionAttributeValues: { ':one': 1 },
    ReturnValues: 'UPDATED_NEW',
  })
  return row?.seq as number
}

/** The projection that a write replaces. */
interface Over {
  orgId: string
  customerId: string
  readSeq: number | undefined
}

/**
 * Fencing token: compare-and-set on `sync_seq`, so a slow sync cannot overwrite a newer projection. The caller has checked
 * that its number is higher. The event then shows the projection that was really replaced.
 */
function projecting({ customerId, readSeq }: Over, projection: BillingProjection) {
  const unchanged = unchangedSince(customerId, readSeq)
  return {
    UpdateExpression: 'SET #projection = :projection',
    ...unchanged,
    ExpressionAttributeValues: { ...unchanged.ExpressionAttributeValues, ':projection': projection },
  }
}

const projectionMoved = () => new StaleReadError('the projection was changed since it was read')

/** The write of a changed projection, for a transaction. */
export const projectionWritten = (over: Over, projection: BillingProjection): Write =>
  updateIf(billingKey(over.orgId), projecting(over, projection), projectionMoved)

/** Stores that a sync confirmed the projection. The org's state did not change, so there is no event. */
export async function projectionConfirmed(over: Over, projection: BillingProjection): Promise<void> {
  if (!(await updateRowIf(billingKey(over.orgId), projecting(over, projection)))) throw projectionMoved()
}
