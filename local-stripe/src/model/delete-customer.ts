/** Deletes a customer: ends its subscriptions and keeps a mark that it existed. */
import { endSubscription } from './billing-cycle.ts'
import type { Store } from './store.ts'
import { hasEnded } from './subscription-object.ts'

export function deleteCustomer(store: Store, id: string): { id: string; object: 'customer'; deleted: true } {
  const customer = store.need('customer', id)
  for (const subscription of store.all('subscription')) {
    if (subscription.customer === id && !hasEnded(subscription.status))
      endSubscription(store, subscription.id, 'cancellation_requested')
  }
  store.remove('customer', id)
  store.put('deleted_customer', { id })
  store.emit('customer.deleted', customer)
  return { id, object: 'customer', deleted: true }
}
