/** Reads the model Stripe's state without the service's own code: what an organization pays for, and which plan that gives. */
import type { Price, StripeEngine, Subscription } from '@octomil/local-stripe/model'

const ranks: Record<string, number> = { free: 0, team: 1, enterprise: 2 }
const statusOrder = 'active trialing past_due unpaid paused incomplete canceled incomplete_expired'.split(' ')
const giving = new Set(['active', 'trialing', 'past_due'])
const live = new Set([...giving, 'unpaid', 'paused'])

/** The rank of a plan; no plan is below all plans. */
export const rankOf = (plan: unknown): number => ranks[String(plan)] ?? -1

export const isLive = ({ status }: Pick<Subscription, 'status'>): boolean => live.has(status)
export const isGiving = ({ status }: Pick<Subscription, 'status'>): boolean => giving.has(status)

export class StripeTruth {
  readonly #engine: StripeEngine
  /** Every plan that a price has had. A price that loses its lookup key does not lose its plan. */
  readonly #plans = new Map<string, string>()

  constructor(engine: StripeEngine) {
    this.#engine = engine
    this.learnPrices()
  }

  /** Call after each change of the catalog. */
  learnPrices(): void {
    for (const price of this.#engine.store.all('price')) {
      const plan = this.#namedPlan(price)
      if (plan in ranks) this.#plans.set(price.id, plan)
    }
  }

  #namedPlan({ lookup_key, metadata, product }: Price): string {
    const [prefix, plan, interval] = (lookup_key ?? '').split('_')
    if (prefix === 'octomil' && plan && (interval === 'monthly' || interval === 'annual')) return plan
    return metadata.octomil_plan ?? this.#engine.store.get('product', product)?.metadata.octomil_plan ?? ''
  }

  isDeleted = (customer: string): boolean => this.#engine.store.get('deleted_customer', customer) !== undefined

  customersOf(orgId: string): string[] {
    return this.#engine.store.all('customer').flatMap(({ id, metadata }) => (metadata.org_id === orgId ? [id] : []))
  }

  subscriptionsOf(customer: string): Subscription[] {
    return this.#engine.store.all('subscription').filter((subscription) => subscription.customer === customer)
  }

  /** The plan of a subscription's price, whether or not the subscription gives it now. */
  planOf = ({ items }: Subscription): string | null => {
    const plans = items.data.map(({ price }) => this.#plans.get(price.id) ?? null)
    return plans.sort((a, b) => rankOf(b) - rankOf(a))[0] ?? null
  }

  #givenPlan = (subscription: Subscription): string | null =>
    isGiving(subscription) ? this.planOf(subscription) : null

  /** The highest plan that a customer's subscriptions give now; null when none gives one. */
  planOfCustomer(customer: string): string | null {
    const given = this.subscriptionsOf(customer).map(this.#givenPlan)
    return given.sort((a, b) => rankOf(b) - rankOf(a))[0] ?? null
  }

  /** What the projection of a customer must show. */
  stateOf(customer: string) {
    const all = this.subscriptionsOf(customer)
    const [first] = all.sort(
      (a, b) =>
        rankOf(this.#givenPlan(b)) - rankOf(this.#givenPlan(a)) ||
        statusOrder.indexOf(a.status) - statusOrder.indexOf(b.status) ||
        b.created - a.created ||
        (a.id < b.id ? -1 : 1),
    )
    return {
      plan: this.planOfCustomer(customer),
      subscription: first ? recordOf(first) : null,
      subscription_conflict: all.filter(isLive).length > 1,
      unknown_price: first !== undefined && isGiving(first) && this.planOf(first) === null,
    }
  }
}

const instant = (seconds: number | null | undefined): string | null =>
  typeof seconds === 'number' ? new Date(seconds * 1000).toISOString() : null

/** A subscription as the projection shows it. Each subscription of the stories has one item. */
function recordOf(subscription: Subscription) {
  const { id, status, items, cancel_at_period_end, created } = subscription
  const [item] = items.data
  if (!item) throw new Error(`${id} has no item`)
  const { price } = item
  return {
    id,
    status,
    price: { id: price.id, lookup_key: price.lookup_key, unit_amount: price.unit_amount, currency: price.currency },
    interval: price.recurring.interval === 'year' ? 'annual' : 'monthly',
    quantity: item.quantity,
    current_period_start: instant(item.current_period_start),
    current_period_end: instant(item.current_period_end),
    cancel_at_period_end,
    cancel_at: instant(subscription.cancel_at),
    canceled_at: instant(subscription.canceled_at),
    ended_at: instant(subscription.ended_at),
    trial_start: instant(subscription.trial_start),
    trial_end: instant(subscription.trial_end),
    created_at: instant(created),
  }
}
