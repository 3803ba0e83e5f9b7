/** What must be true of every story, while it is told and when it has ended. */
import { deepStrictEqual, ok } from 'node:assert/strict'
import type { Event } from '../../local/stripe/objects.ts'
import { type BillingProjection, billingChanges, billingStateOf, isLive } from '../../shared/billing/projection.ts'
import { readSubscriptions } from '../../shared/billing/subscriptions.ts'
import { ProblemError } from '../../shared/http/problem.ts'
import type { Item } from './expressions.ts'
import type { ModelStripe } from './model-stripe.ts'
import type { Outcome, Process, World } from './world.ts'

interface Told {
  action: string
  seq: number
  changes: { field: string; before?: unknown; after?: unknown }[]
}

export class Oracle {
  eventsSeen = 0
  readonly #world: World
  readonly #stripe: ModelStripe
  /** The billing row of each org as it is stored now. */
  readonly #billing = new Map<string, Item>()
  /** The audit events of each org. */
  readonly #trail = new Map<string, Told[]>()
  /** When the state that each customer's projection shows was read from Stripe. */
  readonly #projectedAt = new Map<string, number>()
  /** When each event of Stripe happened, and whose it is. */
  readonly #events = new Map<string, { atMs: number; customer: string | undefined }>()
  readonly #deleted = new Set<string>()

  constructor(world: World, stripe: ModelStripe) {
    this.#world = world
    this.#stripe = stripe
  }

  happened({ id, data: { object } }: Event): void {
    this.eventsSeen += 1
    const { customer, id: own, object: kind } = object as { customer?: unknown; id?: string; object: string }
    const whose = kind === 'customer' ? own : typeof customer === 'string' ? customer : undefined
    this.#events.set(id, { atMs: this.#world.nowMs, customer: whose })
  }

  deleted(customerId: string): void {
    this.#deleted.add(customerId)
  }

  /** A fault of the story, and no other, may end a run badly. */
  expected(outcome: Outcome<unknown>): void {
    if (outcome.ended !== 'badly') return
    const { error } = outcome
    const isPassing = error instanceof ProblemError || (error instanceof Error && '$fault' in error)
    if (!isPassing && !(error instanceof Error && /^\d+ parts of the sweep/.test(error.message))) throw error
  }

  /** Whenever a checkout has been opened, it is the only one that can be paid. */
  opened(orgId: string): void {
    const open = this.#stripe.engine.store
      .all('checkout.session')
      .filter(({ status, client_reference_id, customer }) => {
        return status === 'open' && client_reference_id === orgId && !this.#deleted.has(customer ?? '')
      })
    ok(open.length <= 1, `${open.length} checkouts of one organization are open at once`)
  }

  watch(before: Item | undefined, after: Item, writer: Process | undefined): void {
    const { pk, sk } = after as { pk: string; sk: string }
    if (sk === 'BILLING') this.#watchBilling(pk, before, after, writer)
    if (sk.startsWith('AUDIT#')) this.#trail.set(pk, [...(this.#trail.get(pk) ?? []), after as unknown as Told])
    if (sk === 'STRIPEEVENT') this.#watchDone(pk.slice('STRIPEEVENT#'.length))
  }

  #watchBilling(pk: string, before: Item | undefined, after: Item, writer: Process | undefined): void {
    this.#billing.set(pk, after)
    const customer = after.customer_id as string | undefined
    const was = before?.customer_id as string | undefined
    ok(was === undefined || was === customer || this.#deleted.has(was), 'a customer was replaced that Stripe still has')
    ok(
      before?.override === undefined || JSON.stringify(before.override) === JSON.stringify(after.override),
      'the override was touched',
    )
    const [old, fresh] = [before?.projection, after.projection] as (BillingProjection | undefined)[]
    if (!fresh || customer === undefined || JSON.stringify(fresh) === JSON.stringify(old)) return
    ok(!old || fresh.sync_seq > old.sync_seq, `sync ${fresh.sync_seq} was written over ${old?.sync_seq}`)
    this.#projectedAt.set(customer, writer?.reads.get(customer) ?? 0)
  }

  /** An event is done only once what it told of is in the projection, unless nobody is bound to its customer. */
  #watchDone(eventId: string): void {
    const event = this.#events.get(eventId)
    const isBound = [...this.#billing.values()].some(({ customer_id }) => customer_id === event?.customer)
    if (event?.customer === undefined || !isBound) return
    const projectedAt = this.#projectedAt.get(event.customer) ?? 0
    ok(projectedAt >= event.atMs, `${eventId} was marked done before what it told of was projected`)
  }

  /** Nothing goes on any more: what is stored must be what Stripe says. */
  async judge(after: string, orgs: readonly string[]): Promise<void> {
    for (const orgId of orgs) {
      const row = this.#billing.get(`ORG#${orgId}`)
      this.#judgeCustomers(orgId, row)
      this.#judgeTrail(orgId, row)
      const customerId = row?.customer_id as string | undefined
      if (customerId === undefined) continue
      const wanted = billingStateOf(await this.#freshFrom(customerId))
      const { plan, subscription, subscription_conflict, unknown_price } = (row?.projection ??
        billingStateOf([])) as BillingProjection
      deepStrictEqual(
        { plan, subscription, subscription_conflict, unknown_price },
        wanted,
        `after ${after} the projection is not what Stripe says`,
      )
    }
  }

  /** Read past the world: at once, and without faults. */
  async #freshFrom(customerId: string) {
    const answer = (path: string, params: object = {}) => this.#stripe.engine.request('GET', path, params)
    const client = {
      subscriptions: {
        list: (params: object) => ({
          autoPagingToArray: async () => (answer('/v1/subscriptions', params) as { data: unknown[] }).data,
        }),
      },
      customers: { retrieve: async (id: string) => answer(`/v1/customers/${id}`) },
      products: { retrieve: async (id: string) => answer(`/v1/products/${id}`) },
    }
    const { roughness } = this.#world
    this.#world.calmDown()
    const reading = readSubscriptions(customerId, {
      callStripe: async (calls) => JSON.parse(JSON.stringify(await calls(client as never))),
    })
    // It reads the table too, whose answers come in the world's time.
    await this.#world.untilIdle()
    this.#world.roughness = roughness
    return reading
  }

  #judgeCustomers(orgId: string, row: Item | undefined): void {
    const { store } = this.#stripe.engine
    const kept = store.all('customer').filter(({ id, metadata }) => metadata.org_id === orgId && !this.#deleted.has(id))
    ok(kept.length <= 1, `${kept.length} customers of one organization`)
    const bound = row?.customer_id as string | undefined
    if (bound !== undefined && !this.#deleted.has(bound))
      deepStrictEqual(
        kept.map(({ id }) => id),
        [bound],
      )
    const live = store
      .all('subscription')
      .filter(({ metadata, status }) => metadata.org_id === orgId && isLive({ status: status as 'active' }))
    ok(live.length <= 1, `${live.length} live subscriptions were bought`)
  }

  /** The events, told one after the other from nothing, lead to what is stored, each from where the one before ended. */
  #judgeTrail(orgId: string, row: Item | undefined): void {
    const trail = this.#trail.get(`ORG#${orgId}`) ?? []
    deepStrictEqual(
      trail.map(({ seq }) => seq),
      trail.map((_event, index) => index + 1),
    )
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
    const projection = row?.projection as BillingProjection | undefined
    for (const { field, after } of billingChanges(undefined, projection ?? billingStateOf([]))) {
      deepStrictEqual(state[field] ?? null, after ?? null, `the trail does not lead to what is stored: ${field}`)
    }
    const started = trail
      .filter(({ action }) => action === 'billing.checkout_started')
      .flatMap(({ changes }) =>
        changes.filter(({ field }) => field === 'checkout.session_id').map(({ after }) => after),
      )
    deepStrictEqual(started.length, new Set(started).size, 'a checkout is told twice')
  }
}
