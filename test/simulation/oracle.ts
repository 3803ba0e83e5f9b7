/** Assertions on every story, during the run and at its end. */
import { deepStrictEqual, ok } from 'node:assert/strict'
import type { Event } from '@octomil/local-stripe/model'
import type { BillingProjection } from '../../shared/billing/projection.ts'
import { ProblemError } from '../../shared/problem.ts'
import type { Item } from './expressions.ts'
import type { ModelStripe } from './model-stripe.ts'
import { isGiving, isLive, rankOf, StripeTruth } from './stripe-truth.ts'
import type { Outcome, Process, World } from './world.ts'

interface Told {
  action: string
  changes: { field: string; before?: unknown; after?: unknown }[]
}

export class Oracle {
  eventsSeen = 0
  readonly #world: World
  readonly #stripe: ModelStripe
  /** The stored billing row of each org. */
  readonly #billing = new Map<string, Item>()
  /** The audit events of each org. */
  readonly #trail = new Map<string, Told[]>()
  /** When the state that each customer's projection shows was read from Stripe. */
  readonly #projectedAt = new Map<string, number>()
  /** Time and customer of each Stripe event. */
  readonly #events = new Map<string, { atMs: number; customer: string | undefined }>()
  /** Prices whose plan the service has stored. */
  readonly #storedPrices = new Set<string>()
  readonly #truth: StripeTruth

  constructor(world: World, stripe: ModelStripe) {
    this.#world = world
    this.#stripe = stripe
    this.#truth = new StripeTruth(stripe.engine)
    stripe.planAt = (customer) => this.#truth.planOfCustomer(customer)
  }

  /** Whether every organization is bound to a customer. */
  areBound = (orgs: readonly string[]): boolean =>
    orgs.every((orgId) => this.#billing.get(`ORG#${orgId}`)?.customer_id !== undefined)

  hasStoredPlanOf = (priceId: string): boolean => this.#storedPrices.has(priceId)

  happened({ id, type, data: { object } }: Event): void {
    this.eventsSeen += 1
    if (type.startsWith('price.')) this.#truth.learnPrices()
    const { customer, id: own, object: kind } = object as { customer?: unknown; id?: string; object: string }
    const whose = kind === 'customer' ? own : typeof customer === 'string' ? customer : undefined
    this.#events.set(id, { atMs: this.#world.nowMs, customer: whose })
  }

  /** A fault of the story, and no other, may end a run badly. */
  expected(outcome: Outcome<unknown>): void {
    if (outcome.ended !== 'badly') return
    const { error } = outcome
    const isPassing = error instanceof ProblemError || (error instanceof Error && '$fault' in error)
    if (!isPassing && !(error instanceof Error && /^\d+ parts of the sweep/.test(error.message))) throw error
  }

  /** After a checkout opens, no other session can be paid. */
  opened(orgId: string): void {
    const open = this.#stripe.engine.store
      .all('checkout.session')
      .filter(({ status, client_reference_id, customer }) => {
        return status === 'open' && client_reference_id === orgId && !this.#truth.isDeleted(customer ?? '')
      })
    ok(open.length <= 1, `${open.length} checkouts of one organization are open at once`)
  }

  watch(before: Item | undefined, after: Item, writer: Process | undefined): void {
    const { pk, sk } = after as { pk: string; sk: string }
    if (sk === 'BILLING') this.#watchBilling(pk, before, after, writer)
    if (sk.startsWith('EVENT#')) this.#trail.set(pk, [...(this.#trail.get(pk) ?? []), after as unknown as Told])
    if (sk === 'STRIPEPRICE') this.#storedPrices.add(pk.slice('STRIPEPRICE#'.length))
    if (sk === 'STRIPEEVENT') this.#watchDone(pk.slice('STRIPEEVENT#'.length))
  }

  #watchBilling(pk: string, before: Item | undefined, after: Item, writer: Process | undefined): void {
    this.#billing.set(pk, after)
    const customer = after.customer_id as string | undefined
    const was = before?.customer_id as string | undefined
    ok(
      was === undefined || was === customer || this.#truth.isDeleted(was),
      'a customer was replaced that Stripe still has',
    )
    ok(
      before?.override === undefined || JSON.stringify(before.override) === JSON.stringify(after.override),
      'the override was touched',
    )
    const [old, fresh] = [before?.projection, after.projection] as (BillingProjection | undefined)[]
    if (!fresh || customer === undefined || JSON.stringify(fresh) === JSON.stringify(old)) return
    ok(!old || fresh.sync_seq > old.sync_seq, `sync ${fresh.sync_seq} was written over ${old?.sync_seq}`)
    const reading = writer?.reads.get(customer)
    if (!reading) throw new Error('a projection was written without an answer of our Stripe account')
    this.#projectedAt.set(customer, reading.atMs)
    deepStrictEqual(fresh.plan, reading.plan, 'the plan is not the highest that Stripe gave when it was read')
  }

  /** An event is done only after its change is in the projection, unless its customer belongs to no org. */
  #watchDone(eventId: string): void {
    const event = this.#events.get(eventId)
    const isBound = [...this.#billing.values()].some(({ customer_id }) => customer_id === event?.customer)
    if (event?.customer === undefined || !isBound) return
    const projectedAt = this.#projectedAt.get(event.customer) ?? 0
    ok(projectedAt >= event.atMs, `${eventId} was marked done before what it told of was projected`)
  }

  /** At the end of a story, the stored projection must equal Stripe's state. */
  judge(after: 'events' | 'sweep', orgs: readonly string[]): void {
    deepStrictEqual(this.#stripe.strayObjects(), [], 'a wrong key has made something in another account or mode')
    for (const orgId of orgs) {
      const row = this.#billing.get(`ORG#${orgId}`)
      const projection = (row?.projection ?? nothing) as BillingProjection
      this.#judgeCustomers(orgId, row)
      this.#judgeTrail(orgId, projection)
      this.#judgeMoney(orgId, projection)
      const customerId = row?.customer_id as string | undefined
      if (customerId !== undefined) this.#judgeProjection(after, customerId, projection)
    }
  }

  #judgeProjection(after: 'events' | 'sweep', customerId: string, projection: BillingProjection): void {
    const { plan, subscription, subscription_conflict, unknown_price } = projection
    const wanted = this.#truth.stateOf(customerId)
    // No subscribed event says that a lookup key has moved; the next sync shows it.
    if (after === 'events' && wanted.subscription && subscription?.price) {
      wanted.subscription.price.lookup_key = subscription.price.lookup_key
    }
    // Stripe may or may not list the ended subscriptions of a deleted customer.
    const isEmpty = subscription === null && this.#truth.isDeleted(customerId)
    deepStrictEqual(
      { plan, subscription, subscription_conflict, unknown_price },
      isEmpty ? { ...wanted, subscription: null } : wanted,
      `after ${after === 'events' ? 'events alone' : 'one sweep'} the projection is not what Stripe says`,
    )
  }

  /** Every live subscription of the organization, on whichever customer, gives at least its plan. */
  #judgeMoney(orgId: string, { plan }: BillingProjection): void {
    const charged = this.#truth.customersOf(orgId).flatMap((customer) => this.#truth.subscriptionsOf(customer))
    for (const subscription of charged.filter(isGiving)) {
      const paid = this.#truth.planOf(subscription)
      ok(rankOf(plan) >= rankOf(paid), `${subscription.id} is charged for ${paid}, and the plan is ${plan}`)
    }
  }

  #judgeCustomers(orgId: string, row: Item | undefined): void {
    const { store } = this.#stripe.engine
    const kept = this.#truth.customersOf(orgId)
    ok(kept.length <= 1, `${kept.length} customers of one organization`)
    const bound = row?.customer_id as string | undefined
    if (bound !== undefined && !this.#truth.isDeleted(bound)) deepStrictEqual(kept, [bound])
    const bought = store.all('subscription').filter((each) => each.metadata.org_id === orgId && isLive(each))
    ok(bought.length <= 1, `${bought.length} live subscriptions were bought`)
  }

  /** The audit events, applied in order from nothing, produce the stored state. Each begins at the state of the one before. */
  #judgeTrail(orgId: string, projection: BillingProjection): void {
    const trail = this.#trail.get(`ORG#${orgId}`) ?? []
    const state: Record<string, unknown> = { plan: null, subscription_conflict: false, unknown_price: false }
    for (const { action, changes } of trail) {
      const isSync = action === 'billing.subscription_synced' || action === 'billing.drift_corrected'
      ok(!isSync || changes.length > 0, `${action} tells of nothing`)
      if (!isSync && action !== 'billing.customer_bound') continue
      for (const { field, before, after } of changes) {
        deepStrictEqual(
          before ?? null,
          state[field] ?? null,
          `${action} does not begin where the event before ended: ${field}`,
        )
        state[field] = after ?? null
      }
    }
    for (const [field, stored] of shownFields(projection)) {
      deepStrictEqual(state[field] ?? null, stored ?? null, `the trail does not lead to what is stored: ${field}`)
    }
    const started = trail
      .filter(({ action }) => action === 'billing.checkout_started')
      .flatMap(({ changes }) =>
        changes.filter(({ field }) => field === 'checkout.session_id').map(({ after }) => after),
      )
    deepStrictEqual(started.length, new Set(started).size, 'a checkout is told twice')
  }
}

/** The projection of an organization that was never synced. */
const nothing = { plan: null, subscription: null, subscription_conflict: false, unknown_price: false }

/** The fields of a projection as audit events name them. */
function shownFields({ plan, subscription, subscription_conflict, unknown_price }: BillingProjection) {
  const { price, ...fields } = subscription ?? {}
  const named = (prefix: string, part: object) =>
    Object.entries(part).map(([field, value]) => [`${prefix}.${field}`, value] as const)
  return [
    ...Object.entries({ plan, subscription_conflict, unknown_price }),
    ...named('subscription', fields),
    ...named('subscription.price', price ?? {}),
  ] as const
}
