/** The audit events of checkout and portal sessions. */
import type { Mutation } from '../storage/commit.ts'
import { updateIf } from '../table/writes.ts'
import { billingKey } from './rows.ts'

/** The parts of a checkout that its event records. Not the URL: it lets any reader pay. */
interface StartedCheckout {
  session_id: string
  plan: string
  interval: string
  quantity: number
}

/** The change that records a started checkout. */
export const checkoutStarted = (
  orgId: string,
  { session_id, plan, interval, quantity }: StartedCheckout,
): Mutation => ({
  action: 'billing.checkout_started',
  resource: { type: 'billing', id: orgId },
  result: 'success',
  diff: Object.entries({ session_id, plan, interval, quantity }).map(([field, after]) => ({
    field: `checkout.${field}`,
    after,
  })),
  writes: [
    updateIf(billingKey(orgId), {
      UpdateExpression: 'SET checkout_session_id = :session',
      ConditionExpression: 'attribute_exists(customer_id)',
      ExpressionAttributeValues: { ':session': session_id },
    }),
  ],
})

/** The change that records an opened portal. Stripe reports the changes made there as events. */
export const portalOpened = (orgId: string): Mutation => ({
  action: 'billing.portal_opened',
  resource: { type: 'billing', id: orgId },
  result: 'success',
  diff: [],
  writes: [],
})
