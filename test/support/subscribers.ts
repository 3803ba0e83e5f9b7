/** Organizations that pay, and changes of their subscriptions in Stripe without events. */
import { billingOf } from './billing.ts'
import { makeBusyOrg, type TestOrg } from './orgs.ts'
import { localStripe } from './stripe.ts'

export interface Subscriber extends TestOrg {
  customer: string
  subscription: string
}

export async function makeSubscriber(): Promise<Subscriber> {
  const org = await makeBusyOrg()
  const { body } = await billingOf(org).subscribe()
  return { ...org, customer: body.customer_id, subscription: body.subscription.id }
}

/** Changes a subscription at Stripe; the event of it is never delivered. Hands back its id. */
export async function changeAtStripe({ subscription }: Subscriber, quantity: number): Promise<string> {
  const { engine } = await localStripe()
  const [item] = engine.store.need('subscription', subscription).items.data
  engine.request('POST', `/v1/subscriptions/${subscription}`, { items: [{ id: item?.id, quantity }] })
  const [last] = engine.store
    .all('event')
    .filter(({ type }) => type === 'customer.subscription.updated')
    .slice(-1)
  return last?.id ?? ''
}
