/** The binding between an org and its Stripe customer. */
import { type Mutation, StaleReadError } from '../storage/commit.ts'
import { getRow } from '../table/read.ts'
import { fromRow, type RowKey } from '../table/rows.ts'
import { insert, put, updateIf } from '../table/writes.ts'
import type { Billing } from './current-plan.ts'
import { sweepKey } from './customer-shards.ts'
import { billingChanges, billingStateOf } from './projection.ts'
import { billingKey, unchangedSince } from './rows.ts'

const customerKey = (customerId: string): RowKey => ({ pk: `STRIPECUSTOMER#${customerId}`, sk: 'STRIPECUSTOMER' })

/**
 * The change that binds an org to a Stripe customer and replaces the customer that was read. It fails with `StaleReadError`
 * when another request has bound the org since.
 */
export function customerBound(orgId: string, before: Billing, customerId: string): Mutation {
  const { customerId: was, projection } = before
  const unchanged = unchangedSince(was, projection?.sync_seq)
  return {
    action: 'billing.customer_bound',
    resource: { type: 'billing', id: orgId },
    result: 'success',
    diff: [
      { field: 'customer_id', before: was ?? null, after: customerId },
      ...billingChanges(projection, billingStateOf([])),
    ],
    writes: [
      updateIf(
        billingKey(orgId),
        {
          // The projection is of the previous customer's subscriptions.
          UpdateExpression: 'SET customer_id = :customer REMOVE #projection',
          ...unchanged,
          ExpressionAttributeValues: { ...unchanged.ExpressionAttributeValues, ':customer': customerId },
        },
        () => new StaleReadError('the organization was bound to a customer, or synced, by another request'),
      ),
      insert({ ...customerKey(customerId), org_id: orgId }),
      put({ ...sweepKey(customerId), org_id: orgId }),
    ],
  }
}

/** The org that was bound to a customer. The org can be bound to another customer by now. */
export const findOrgOfCustomer = async (customerId: string): Promise<string | undefined> =>
  fromRow<{ org_id: string }>(await getRow(customerKey(customerId)))?.org_id
