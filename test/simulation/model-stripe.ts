/** A model of Stripe for this service: the local Stripe's engine, in the world's time, with faults of requests. */

import { ApiError, account, createStripeEngine, resourceMissing, type StripeEngine } from '@octomil/local-stripe/model'
import Stripe from 'stripe'
import type { BillingPorts } from '../../shared/billing/ports.ts'
import { requireSameAccount } from '../../shared/stripe/account.ts'
import { toProblem } from '../../shared/stripe/client.ts'
import { copied } from './copied.ts'
import type { Process, Reading, World } from './world.ts'

type Method = 'GET' | 'POST'
interface Options {
  idempotencyKey?: string
}

/** As the client does: twice more, unless Stripe has understood the request and refused it. */
const maxNetworkRetries = 2

/** A secret key: which account and mode answer under it, and whether it may read the id of its account. */
export interface Key {
  secret: string
  isOurs: boolean
  account: string
  readsAccount: boolean
}

const testKey = 'sk_test_simulation'
export const rightKey: Key = { secret: testKey, isOurs: true, account: account.id, readsAccount: true }
export const restrictedKey: Key = { ...rightKey, readsAccount: false }
export const wrongKeys = {
  account: { secret: testKey, isOurs: false, account: 'acct_another', readsAccount: true },
  restricted: { secret: testKey, isOurs: false, account: 'acct_another', readsAccount: false },
  mode: { secret: 'sk_live_simulation', isOurs: false, account: account.id, readsAccount: true },
} satisfies Record<string, Key>

/** An instance keeps the secrets that it has read for so long. */
const secretsCacheMs = 5 * 60_000

/** What a process calls Stripe with. */
interface Connection {
  key: Key
  client: Stripe
}

export class ModelStripe {
  readonly engine: StripeEngine
  /** The plan that the subscriptions of a customer give at this moment. */
  planAt: (customer: string) => string | null = () => null
  readonly #world: World
  readonly #answers = new Map<string, () => object>()
  /** The last two keys, and when the second replaced the first. */
  #keys = { before: rightKey, now: rightKey, sinceMs: -Infinity }
  readonly #connections = new WeakMap<Process, Connection>()
  /** Another account or mode: it sells the same, and knows none of our customers. */
  #other: StripeEngine | undefined
  /** Whether Stripe refuses to list the subscriptions of a customer that was deleted. */
  readonly #refusesDeleted: boolean

  constructor(world: World) {
    this.#world = world
    this.engine = createStripeEngine({ seed: String(world.seed), now: () => world.nowMs })
    this.#refusesDeleted = world.chance(0.5)
  }

  get key(): Key {
    return this.#keys.now
  }

  /** Replaces the key of the deployment. Instances that run already go on with the one before for a while. */
  useKey(key: Key): void {
    this.#world.note(`the key is ${key.isOurs ? 'right' : 'wrong'}: ${key.secret} of ${key.account}`)
    this.#keys = { before: this.#keys.now, now: key, sinceMs: this.#world.nowMs }
  }

  get other(): StripeEngine {
    this.#other ??= createStripeEngine({ seed: `other than ${this.#world.seed}`, now: () => this.#world.nowMs })
    return this.#other
  }

  /** Everything that was made under a wrong key. */
  strayObjects(): string[] {
    const kinds = ['customer', 'checkout.session', 'subscription'] as const
    return kinds.flatMap((kind) => this.#other?.store.all(kind).map(({ id }) => id) ?? [])
  }

  /** The connection of the process that runs; it puts its key into the environment, which all processes here share. */
  connect(): Connection {
    const { process } = this.#world
    const known = process && this.#connections.get(process)
    const connection = known ?? this.#newConnection()
    if (process) this.#connections.set(process, connection)
    globalThis.process.env.STRIPE_SECRET_KEY = connection.key.secret
    return connection
  }

  #newConnection(): Connection {
    const { before, now, sinceMs } = this.#keys
    const mayBeOld = this.#world.nowMs - sinceMs < secretsCacheMs
    const key = mayBeOld && this.#world.chance(0.5) ? before : now
    return { key, client: this.#client(key) }
  }

  /** The ports of a function that runs in this world. As in the service, a key is checked before it is used. */
  get ports(): BillingPorts {
    return {
      timing: this.#world.timing,
      callStripe: async (calls) => {
        const { client } = this.connect()
        try {
          await requireSameAccount(client)
          return await calls(client)
        } catch (error) {
          throw toProblem(error)
        }
      },
    }
  }

  /** What the service calls of the client, and no more: a call that is not here fails the story. */
  #client(key: Key): Stripe {
    const post = (path: string) => (params: object, options?: Options) =>
      this.request(key, 'POST', path, params, options)
    const get = (path: string) => (params?: object) => this.request(key, 'GET', path, params)
    const client = {
      accounts: { retrieveCurrent: get('/v1/account') },
      customers: {
        retrieve: (id: string) => get(`/v1/customers/${id}`)(),
        create: post('/v1/customers'),
        update: (id: string, params: object, options?: Options) => post(`/v1/customers/${id}`)(params, options),
      },
      subscriptions: {
        list: (params: { customer: string }) => ({ autoPagingToArray: () => this.#subscriptionsOf(key, params) }),
      },
      products: { retrieve: (id: string) => get(`/v1/products/${id}`)() },
      prices: { list: get('/v1/prices'), retrieve: (id: string) => get(`/v1/prices/${id}`)() },
      checkout: {
        sessions: {
          list: get('/v1/checkout/sessions'),
          retrieve: (id: string) => get(`/v1/checkout/sessions/${id}`)(),
          create: post('/v1/checkout/sessions'),
          expire: (id: string, params: object, options?: Options) =>
            post(`/v1/checkout/sessions/${id}/expire`)(params, options),
        },
      },
      events: { list: get('/v1/events') },
    }
    // The service makes no other calls. Any other call fails the story.
    return client as unknown as Stripe
  }

  async #subscriptionsOf(key: Key, params: { customer: string }): Promise<unknown[]> {
    const reader = this.#world.process
    let reading: Reading | undefined
    const served = () => {
      if (key.isOurs) reading = { atMs: this.#world.nowMs, plan: this.planAt(params.customer) }
    }
    try {
      const list = await this.request(key, 'GET', '/v1/subscriptions', params, {}, served)
      return (list as { data: unknown[] }).data
    } finally {
      // A refusal is information too: the customer may be deleted.
      if (reading) reader?.reads.set(params.customer, reading)
    }
  }

  /** One call, with the client's own retries. `served` is called when the engine answers. */
  async request(
    key: Key,
    method: Method,
    path: string,
    params: object = {},
    options: Options = {},
    served: () => void = () => {},
  ): Promise<object> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#attempt(key, method, path, params, options, served)
      } catch (error) {
        const { StripeInvalidRequestError, StripePermissionError } = Stripe.errors
        const isRefused = error instanceof StripeInvalidRequestError || error instanceof StripePermissionError
        const isFinal = isRefused || attempt === maxNetworkRetries
        if (isFinal) throw error
        await this.#world.pause(500 * 2 ** attempt)
      }
    }
  }

  /** The request arrives whether or not its sender is still alive; the answer may be lost, or late. */
  async #attempt(
    key: Key,
    method: Method,
    path: string,
    params: object,
    { idempotencyKey }: Options,
    served: () => void,
  ): Promise<object> {
    const world = this.#world
    const { chance, roughness } = world
    const sender = world.process
    const answer = new Promise<() => object>((resolve) => {
      world.schedule(world.latencyMs(), () => {
        world.note(`${method} ${path}`, sender)
        if (chance(roughness.stripeFault)) return resolve(failing)
        const answered = this.#answer(key, method, path, params, idempotencyKey)
        // After the answer: the request itself runs the due changes.
        served()
        resolve(chance(roughness.stripeFault) ? unreachable : answered)
      })
    })
    const open = await answer
    if (open === unreachable) await world.pause(8000)
    await world.pause(world.latencyMs())
    return open()
  }

  #answer(key: Key, method: Method, path: string, params: object, idempotencyKey: string | undefined): () => object {
    const name = `${key.isOurs} ${idempotencyKey}`
    const kept = idempotencyKey === undefined ? undefined : this.#answers.get(name)
    if (kept) return kept
    try {
      // A copy, as from the wire: the engine's own object changes later.
      const answer = copied(this.#run(key, method, path, params))
      if (idempotencyKey === undefined) return () => answer
      const again = () => copied(answer)
      this.#answers.set(name, again)
      return again
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      const { body, status } = error
      const { StripePermissionError, StripeInvalidRequestError } = Stripe.errors
      return () => {
        const Refusal = status === 403 ? StripePermissionError : StripeInvalidRequestError
        throw new Refusal({ ...body, statusCode: status } as never)
      }
    }
  }

  #run(key: Key, method: Method, path: string, params: object): object {
    if (path === '/v1/account') {
      if (key.readsAccount) return { ...account, id: key.account }
      throw new ApiError(403, { type: 'invalid_request_error', message: 'The key may not read its account.' })
    }
    const { customer } = params as { customer?: string }
    if (path === '/v1/subscriptions' && customer && this.#refusesDeleted) {
      if (this.engine.store.get('deleted_customer', customer)) throw resourceMissing('customer', customer, 'customer')
    }
    return (key.isOurs ? this.engine : this.other).request(method, path, params)
  }
}

const failing = () => {
  throw new Stripe.errors.StripeAPIError({ type: 'api_error', message: 'a fault of the story' })
}
const unreachable = () => {
  throw new Stripe.errors.StripeConnectionError({ type: 'api_error', message: 'a fault of the story' } as never)
}
