/**
 * One story of billing. Buyers click twice and time passes at Stripe. Events arrive late, twice, in any order or never, with
 * concurrent reconciles and sweeps. Functions crash or stall at any wait, and Stripe and the table fail. The key is wrong for
 * a while, lookup keys move to other prices, second subscriptions and deleted customers occur. At the end the stored plan must
 * be the highest plan that Stripe's state gives.
 */
import {
  type Customer,
  completeSession,
  type Event,
  type Price,
  type Subscription,
  setCardsFail,
} from '@octomil/local-stripe/model'
import {
  findCheckout,
  isPaid,
  openCheckout,
  toCheckoutView,
  whileNoOtherCheckout,
} from '../../shared/billing/checkout.ts'
import type { BillingPorts } from '../../shared/billing/ports.ts'
import type { BillingInterval } from '../../shared/billing/projection.ts'
import { readBilling } from '../../shared/billing/rows.ts'
import { checkoutStarted } from '../../shared/billing/session-events.ts'
import { overrideChanged } from '../../shared/billing/set-override.ts'
import { readSubscriptions } from '../../shared/billing/subscriptions.ts'
import { type SyncPorts, syncCustomer } from '../../shared/billing/sync.ts'
import { ProblemError } from '../../shared/problem.ts'
import { commit } from '../../shared/storage/commit.ts'
import { stripeEventTypes, webhookSource } from '../../shared/stripe-events/event.ts'
import { project } from '../../shared/stripe-events/project.ts'
import { sweep } from '../../shared/stripe-events/sweep.ts'
import { table, wireTable } from '../../shared/table/client.ts'
import { ModelStripe, restrictedKey, wrongKeys } from './model-stripe.ts'
import { ModelTable } from './model-table.ts'
import { Oracle } from './oracle.ts'
import { type Outcome, type Roughness, World } from './world.ts'

/** The kinds of story that a seed selects. */
interface Plot {
  orgs: readonly string[]
  roughness: Roughness
  /** The share of events that never arrive; without any, events alone must keep the projection right. */
  loss: number
  /** The number of changes in Stripe after the payment. */
  turns: number
  deletesCustomers: boolean
  overrides: boolean
  /** Set up as the README says: lookup keys, and no metadata that names a plan. */
  isBareCatalog: boolean
  /** Our own key may not read its account, so that only the mode of another key can be compared. */
  isRestricted: boolean
  /** The wrong key that is in use for a while. */
  wrongKey: keyof typeof wrongKeys | undefined
  afterRetries: 'cancel' | 'unpaid' | 'past_due'
}

const monthly = 'octomil_team_monthly'
const annual = 'octomil_team_annual'
const apiLifeMs = 28_000
const projectorLifeMs = 60_000
const sweepLifeMs = 600_000
const minute = 60_000
const day = 24 * 60 * minute

function plotOf(world: World): Plot {
  const { chance, between, pick } = world
  return {
    orgs: ['org_01jd3v7k3q9x5m2n8r4t6w0y1a', 'org_01jd3v7k3q9x5m2n8r4t6w0y1b'].slice(0, chance(0.2) ? 2 : 1),
    roughness: {
      death: pick([0, 0.003, 0.01]),
      stall: pick([0, 0.01, 0.04, 0.1]),
      stripeFault: pick([0, 0.05, 0.15]),
      tableFault: pick([0, 0.01, 0.04]),
    },
    loss: pick([0, 0, 0.3, 1]),
    turns: between(0, 6),
    deletesCustomers: chance(0.15),
    overrides: chance(0.3),
    isBareCatalog: chance(0.5),
    isRestricted: chance(0.15),
    wrongKey: chance(0.3) ? pick(['account', 'restricted', 'mode'] as const) : undefined,
    afterRetries: pick(['cancel', 'cancel', 'unpaid', 'past_due'] as const),
  }
}

export interface Telling {
  /** Gets every step. */
  listener?: (line: string) => void
  /** Changes Stripe's answers, to prove that the simulation finds a fault. */
  distort?: (read: SyncPorts['readSubscriptions'], world: World) => SyncPorts['readSubscriptions']
}

/** Runs the story of a seed. Throws if an assertion fails. */
export async function simulate(
  seed: number,
  { listener, distort = (read) => read }: Telling = {},
): Promise<{ steps: number; events: number }> {
  const world = new World(seed)
  world.listener = listener
  const stripe = new ModelStripe(world)
  const oracle = new Oracle(world, stripe)
  const model = new ModelTable(world, (before, after, writer) => oracle.watch(before, after, writer))
  model.install(table(), wireTable())
  const story = new Story(world, stripe, oracle, distort)
  await story.tell()
  return { steps: world.steps, events: oracle.eventsSeen }
}

class Story {
  readonly #world: World
  readonly #stripe: ModelStripe
  readonly #oracle: Oracle
  readonly #plot: Plot
  readonly #ports: BillingPorts
  readonly #syncPorts: SyncPorts
  #requests = 0

  constructor(world: World, stripe: ModelStripe, oracle: Oracle, distort: NonNullable<Telling['distort']>) {
    this.#world = world
    this.#stripe = stripe
    this.#oracle = oracle
    this.#plot = plotOf(world)
    this.#ports = stripe.ports
    this.#syncPorts = {
      timing: world.timing,
      readSubscriptions: distort((customerId) => readSubscriptions(customerId, this.#ports), world),
    }
  }

  async tell(): Promise<void> {
    const world = this.#world
    world.note(JSON.stringify(this.#plot))
    await this.#prologue()
    world.roughness = this.#plot.roughness
    this.#stripe.engine.onEvent((event) => this.#deliver(event))
    for (const orgId of this.#plot.orgs) this.#enact(orgId)
    world.act('operator', () => this.#mistakeKey())
    await this.#settle()
    // A key of live mode makes the projector refuse events of test mode, which only the sweep makes good.
    const mayMissEvents = this.#plot.loss > 0 || this.#plot.wrongKey === 'mode'
    if (!mayMissEvents) this.#oracle.judge('events', this.#plot.orgs)
    await this.#epilogue()
  }

  async #prologue(): Promise<void> {
    const world = this.#world
    const { store, request } = this.#stripe.engine
    const { isBareCatalog, isRestricted, afterRetries, wrongKey, overrides, orgs } = this.#plot
    store.settings = { afterRetries }
    if (isBareCatalog) request('POST', '/v1/products/prod_octomil_team', { metadata: { octomil_plan: '' } })
    if (isRestricted) this.#stripe.useKey(restrictedKey)
    // The first key that is used decides to which account the table belongs.
    if (wrongKey) world.act('first use', async () => void (await this.#ports.callStripe(async () => undefined)))
    await world.untilIdle()
    if (!overrides) return
    for (const orgId of orgs) {
      world.act('override', async () => {
        const now = world.timing.now()
        const override = {
          plan: 'enterprise',
          reason: 'a story',
          expires_at: null,
          set_at: now.toISOString(),
          set_by: 'x',
        } as const
        await commit(
          overrideChanged(orgId, await readBilling(orgId), override, now),
          this.#context(orgId),
          this.#until(apiLifeMs),
          world.timing,
        )
      })
    }
    await world.untilIdle()
  }

  /** Replaces the key by one of another account or mode, and restores it later. */
  async #mistakeKey(): Promise<void> {
    const world = this.#world
    const { wrongKey, isRestricted, deletesCustomers, orgs } = this.#plot
    if (!wrongKey) return
    await world.pause(world.between(0, 12 * minute))
    const isNoticed = wrongKey === 'mode' || (wrongKey === 'account' && !isRestricted)
    // What cannot be noticed by account or mode is noticed by a customer that Stripe does not know.
    if (!isNoticed && (deletesCustomers || !this.#oracle.areBound(orgs))) return
    const ours = this.#stripe.key
    this.#stripe.useKey(wrongKeys[wrongKey])
    await world.pause(world.between(minute, 20 * minute))
    this.#stripe.useKey(ours)
  }

  /** Everything that happens to one org, at its own pace. */
  #enact(orgId: string): void {
    const world = this.#world
    const buyers = world.between(1, 4)
    for (let buyer = 0; buyer < buyers; buyer++) world.act('buyer', () => this.#buy(orgId))
    for (let sweeps = world.between(0, 2); sweeps > 0; sweeps--) {
      world.act('schedule', async () => {
        await world.pause(world.between(0, 20 * minute))
        await this.#sweep()
      })
    }
    world.act('time', () => this.#turn(orgId))
  }

  async #buy(orgId: string): Promise<void> {
    const world = this.#world
    await world.pause(world.between(0, world.pick([10, 2000, 5 * minute])))
    const interval = world.pick(['monthly', 'monthly', 'annual'] as const)
    const session = await this.#checkOut(orgId, interval)
    if (session === undefined) return
    await world.pause(world.between(0, 2 * minute))
    if (!this.#pay(session)) return
    for (let times = world.between(0, 2); times > 0; times--) {
      world.act('buyer comes back', async () => {
        await world.pause(world.between(0, 5000))
        await this.#insist(() => world.spawn('reconcile', apiLifeMs, () => this.#reconcile(orgId, session)), 3)
      })
    }
  }

  /** Retries until it gets a session, or an answer that nothing is for sale. */
  async #checkOut(orgId: string, interval: BillingInterval): Promise<string | undefined> {
    const outcome = await this.#insist(
      () => this.#world.spawn('checkout', apiLifeMs, () => this.#requestCheckout(orgId, interval)),
      4,
    )
    return outcome.ended === 'well' ? outcome.value : undefined
  }

  /** As the handler does it; its `commit` keeps an answer besides. */
  #requestCheckout(orgId: string, interval: BillingInterval): Promise<string> {
    const binding = { context: this.#context(orgId), deadline: this.#until(apiLifeMs - 1000) }
    const [successUrl, cancelUrl] = ['https://dashboard.example/ok', 'https://dashboard.example/no']
    const wish = { plan: 'team', interval, quantity: 1, successUrl, cancelUrl, asked: {} } as const
    return whileNoOtherCheckout(
      orgId,
      async () => {
        const checkout = await openCheckout(wish, binding, this.#ports)
        const record = toCheckoutView(checkout, wish)
        this.#oracle.opened(orgId)
        const { checkoutSessionId: told } = await readBilling(orgId)
        if (told !== record.session_id) {
          await commit(checkoutStarted(orgId, record), binding.context, binding.deadline, this.#world.timing)
        }
        return record.session_id
      },
      this.#ports,
    )
  }

  /** As the handler does it. */
  async #reconcile(orgId: string, sessionId: string): Promise<void> {
    const { customerId } = await readBilling(orgId)
    const { customer, session } = await findCheckout(sessionId, { orgId, customerId }, this.#ports)
    if (!isPaid(session)) return
    const { actor, requestId } = this.#context(orgId)
    const deadline = this.#until(apiLifeMs - 1000)
    const context = { actor, requestId }
    await syncCustomer({ orgId, customerId: customer, source: 'reconcile', context, deadline }, this.#syncPorts)
  }

  /** Whether the session could still be paid. */
  #pay(sessionId: string): boolean {
    const { store } = this.#stripe.engine
    const buyer = { number: '4242424242424242', expMonth: 12, expYear: 2099, email: 'buyer@example.com', name: null }
    return this.#atStripe(() => completeSession(store, sessionId, buyer))
  }

  /** What time and people do at Stripe. */
  async #turn(orgId: string): Promise<void> {
    const world = this.#world
    await world.pause(world.between(30_000, 8 * minute))
    for (let turn = 0; turn < this.#plot.turns; turn++) {
      const subscriptions = this.#subscriptionsOf(orgId)
      if (subscriptions.length > 0) await this.#change(orgId, world.pick(subscriptions))
      await world.pause(world.between(0, world.pick([10, 3000, 4 * minute])))
    }
    if (this.#plot.deletesCustomers) await this.#startOver(orgId)
  }

  async #change(orgId: string, { id, items, customer, default_payment_method }: Subscription): Promise<void> {
    const { engine } = this.#stripe
    const world = this.#world
    const item = items.data[0]?.id
    const path = `/v1/subscriptions/${id}`
    const atStripe = (run: () => unknown) => async () => void this.#atStripe(run)
    const add = (price: string | undefined, trial: object = {}) =>
      engine.request('POST', '/v1/subscriptions', { customer, items: [{ price }], default_payment_method, ...trial })
    const happen = world.pick([
      atStripe(() => engine.request('POST', path, { cancel_at_period_end: true })),
      atStripe(() => engine.request('POST', path, { cancel_at_period_end: false })),
      atStripe(() => engine.request('POST', path, { items: [{ id: item, quantity: world.between(1, 9) }] })),
      atStripe(() => engine.request('POST', path, { items: [{ id: item, price: this.#priceWith(annual)?.id }] })),
      atStripe(() => add(this.#contract()?.id)),
      atStripe(() => add(this.#priceWith(world.pick([monthly, annual]))?.id)),
      atStripe(() => add(this.#makePrice(world.pick([null, null, 'free', 'team', 'enterprise'])).id)),
      atStripe(() => add(this.#makePrice(world.pick([null, 'team'])).id, { trial_period_days: 14 })),
      atStripe(() => this.#transferLookupKey(world.pick([monthly, annual]))),
      atStripe(() => this.#transferLookupKey(world.pick([monthly, annual]))),
      atStripe(() => engine.request('DELETE', path)),
      atStripe(() => setCardsFail(engine.store, customer, world.chance(0.7))),
      () => this.#monthPasses(),
      () => this.#monthPasses(),
      () => this.#sweep(),
      () => this.#buy(orgId),
    ])
    await happen()
  }

  /**
   * Whether only the lookup key can say which plan the price gives: it was sold in the dashboard, and the service has not
   * read it yet. That a key moves within these minutes is the one case that the service cannot get right.
   */
  #wouldForget({ id }: Price): boolean {
    if (!this.#plot.isBareCatalog || this.#oracle.hasStoredPlanOf(id)) return false
    const isSoldAlone = ({ metadata, items }: Subscription) =>
      metadata.octomil_plan === undefined && items.data.some(({ price }) => price.id === id)
    return this.#stripe.engine.store.all('subscription').some(isSoldAlone)
  }

  #priceWith(lookupKey: string): Price | undefined {
    return this.#stripe.engine.store.all('price').find(({ lookup_key }) => lookup_key === lookupKey)
  }

  #contract(): Price | undefined {
    return this.#stripe.engine.store.all('price').find(({ nickname }) => nickname === 'Example contract')
  }

  /** A price of something else; it or its product names the plan that it gives, if any. */
  #makePrice(plan: string | null): Price {
    const { engine } = this.#stripe
    const metadata = plan === null ? {} : { octomil_plan: plan }
    const isOnPrice = this.#world.chance(0.5)
    return engine.request('POST', '/v1/prices', {
      product_data: { name: 'Something else', ...(isOnPrice ? {} : { metadata }) },
      ...(isOnPrice ? { metadata } : {}),
      currency: 'usd',
      unit_amount: 900,
      recurring: { interval: 'month' },
    }) as Price
  }

  /** A plan becomes dearer: its lookup key moves to a new price, and the old one may be archived. */
  #transferLookupKey(lookupKey: string): void {
    const { engine } = this.#stripe
    const old = this.#priceWith(lookupKey)
    if (!old || this.#wouldForget(old)) return
    // Without metadata, only the product links a new price to an old one.
    const isOfNewProduct = !this.#plot.isBareCatalog && this.#world.chance(0.3)
    const product_data = { name: 'Octomil Team', metadata: { octomil_plan: 'team' } }
    engine.request('POST', '/v1/prices', {
      ...(isOfNewProduct ? { product_data } : { product: old.product }),
      currency: 'usd',
      unit_amount: (old.unit_amount ?? 0) + 10_000,
      recurring: { interval: old.recurring.interval },
      lookup_key: lookupKey,
      transfer_lookup_key: true,
    })
    if (this.#world.chance(0.5)) engine.request('POST', `/v1/prices/${old.id}`, { active: false })
  }

  async #monthPasses(): Promise<void> {
    await this.#world.pause(31 * day)
    this.#stripe.engine.catchUp()
  }

  /** An operator deletes the customer in Stripe's dashboard. A buyer may buy again. */
  async #startOver(orgId: string): Promise<void> {
    const [customer] = this.#customersOf(orgId)
    if (!customer) return
    this.#atStripe(() => this.#stripe.engine.request('DELETE', `/v1/customers/${customer.id}`))
    await this.#world.pause(this.#world.between(0, minute))
    if (this.#world.chance(0.7)) await this.#buy(orgId)
  }

  /** An event on its way to the projector: some copies of it, none of them at once, or nothing at all. */
  #deliver(event: Event): void {
    this.#oracle.happened(event)
    this.#world.note(`${event.type} ${event.id}`)
    const world = this.#world
    if (world.chance(this.#plot.loss)) return
    const detail = hintOf(event)
    for (let copies = world.chance(0.2) ? world.between(2, 3) : 1; copies > 0; copies--) {
      world.act('bus', async () => {
        await world.pause(world.between(1, world.pick([50, 5000, 3 * minute])))
        await this.#insist(() => this.#project(detail), Infinity)
      })
    }
  }

  #project(detail: unknown): Promise<Outcome<unknown>> {
    const run = { requestId: this.#requestId(), deadline: this.#until(projectorLifeMs - 1000) }
    return this.#world.spawn('projector', projectorLifeMs, () => {
      this.#stripe.connect()
      return project({ source: webhookSource, detail }, run, this.#syncPorts)
    })
  }

  async #sweep(): Promise<void> {
    const run = { requestId: this.#requestId(), deadline: this.#until(sweepLifeMs - 1000) }
    const outcome = await this.#world.spawn('sweep', sweepLifeMs, () =>
      sweep(run, {
        timing: this.#world.timing,
        sync: (request) => syncCustomer(request, this.#syncPorts),
        listEvents: (query) => this.#listEvents(query),
      }),
    )
    this.#oracle.expected(outcome)
  }

  #listEvents({
    from,
    until,
    limit,
    after,
  }: {
    from: number
    until: number
    limit: number
    after?: string | undefined
  }) {
    return this.#ports.callStripe(async (client) => {
      const created = { gte: from, lte: until }
      const params = { created, types: [...stripeEventTypes], limit, ...(after ? { starting_after: after } : {}) }
      const { data, has_more } = await client.events.list(params)
      return { events: data, next: has_more ? data.at(-1)?.id : undefined }
    })
  }

  /** An hour after the last fault, the sweep runs once. */
  async #epilogue(): Promise<void> {
    const world = this.#world
    world.calmDown()
    world.act('an hour passes', async () => {
      await world.pause(61 * minute)
    })
    await this.#settle()
    world.act('the last sweep', async () => {
      await this.#sweep()
      this.#oracle.judge('sweep', this.#plot.orgs)
    })
    await world.untilIdle()
  }

  /** Runs until no process is active and Stripe has no due changes. */
  async #settle(): Promise<void> {
    for (let seen = -1; seen < this.#oracle.eventsSeen; ) {
      await this.#world.untilIdle()
      seen = this.#oracle.eventsSeen
      this.#stripe.engine.catchUp()
    }
  }

  /** Retries after every failure and crash, as callers and AWS do, except after a permanent error. */
  async #insist<T>(run: () => Promise<Outcome<T>>, times: number): Promise<Outcome<T>> {
    const world = this.#world
    for (let attempt = 1; ; attempt++) {
      const outcome = await run()
      this.#oracle.expected(outcome)
      if (outcome.ended === 'well' || attempt >= times || isRefusal(outcome)) return outcome
      // Every story must end: after many failed attempts the faults stop.
      if (attempt === maxRoughAttempts) world.calmDown()
      await world.pause(world.between(500, 20_000 * Math.min(attempt, 9)))
    }
  }

  #subscriptionsOf(orgId: string): Subscription[] {
    const customers = new Set(this.#customersOf(orgId).map(({ id }) => id))
    return this.#stripe.engine.store
      .all('subscription')
      .filter(({ customer, status }) => customers.has(customer) && status !== 'canceled')
  }

  #customersOf(orgId: string): Customer[] {
    return this.#stripe.engine.store.all('customer').filter(({ metadata }) => metadata.org_id === orgId)
  }

  /** Runs a request that Stripe may refuse. */
  #atStripe(run: () => unknown): boolean {
    try {
      this.#stripe.engine.store.atomically(run)
      return true
    } catch {
      return false
    }
  }

  #context(orgId: string) {
    const requestId = this.#requestId()
    return { orgId, actor: { type: 'user', id: 'owner' }, now: this.#world.timing.now(), requestId } as const
  }

  #requestId(): string {
    this.#requests += 1
    return `req-${this.#requests}`
  }

  #until = (ms: number): Date => new Date(this.#world.nowMs + ms)
}

/** The fields of an event that the service reads. */
function hintOf({ id, type, created, livemode, data }: Event): object {
  const { id: about, object, customer } = data.object as { id?: string; object: string; customer?: string | null }
  return { id, object: 'event', type, created, livemode, data: { object: { id: about, object, customer } } }
}

const maxRoughAttempts = 12

/** A permanent fault: a retry would fail too. */
const isRefusal = (outcome: Outcome<unknown>): boolean =>
  outcome.ended === 'badly' &&
  outcome.error instanceof ProblemError &&
  (outcome.error.code === 'not_found' || (outcome.error.code === 'conflict' && !outcome.error.details.retryable))
