/** Stripe as this service calls it: the local Stripe's engine, in the world's time, with what can befall a request. */
import Stripe from 'stripe'
import { ApiError } from '../../local/stripe/api-error.ts'
import { createStripeEngine, type StripeEngine } from '../../local/stripe/engine.ts'
import type { BillingPorts } from '../../shared/billing/ports.ts'
import { toProblem } from '../../shared/stripe/client.ts'
import type { World } from './world.ts'

type Method = 'GET' | 'POST'
interface Options {
  idempotencyKey?: string
}

/** As the client does: twice more, unless Stripe has understood the request and refused it. */
const maxNetworkRetries = 2

export class ModelStripe {
  readonly engine: StripeEngine
  readonly #world: World
  readonly #answers = new Map<string, () => object>()

  constructor(world: World) {
    this.#world = world
    this.engine = createStripeEngine({ seed: String(world.seed), now: () => world.nowMs })
  }

  /** The ports of a function that runs in this world. */
  get ports(): BillingPorts {
    const client = this.#client()
    return {
      timing: this.#world.timing,
      callStripe: async (calls) => {
        try {
          return await calls(client)
        } catch (error) {
          throw toProblem(error)
        }
      },
    }
  }

  /** What the service calls of the client, and no more: a call that is not here fails the story. */
  #client(): Stripe {
    const post = (path: string) => (params: object, options?: Options) => this.request('POST', path, params, options)
    const get = (path: string) => (params?: object) => this.request('GET', path, params)
    const client = {
      customers: {
        retrieve: (id: string) => get(`/v1/customers/${id}`)(),
        create: post('/v1/customers'),
        update: (id: string, params: object, options?: Options) => post(`/v1/customers/${id}`)(params, options),
      },
      subscriptions: {
        list: (params: { customer: string }) => ({ autoPagingToArray: () => this.#subscriptionsOf(params) }),
      },
      products: { retrieve: (id: string) => get(`/v1/products/${id}`)() },
      prices: { list: get('/v1/prices') },
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
    // The service calls nothing else of it; whatever else it called would fail the story.
    return client as unknown as Stripe
  }

  async #subscriptionsOf(params: { customer: string }): Promise<unknown[]> {
    const noteRead = () => this.#world.process?.reads.set(params.customer, readAtMs)
    let readAtMs = 0
    const list = await this.request('GET', '/v1/subscriptions', params, {}, () => {
      readAtMs = this.#world.nowMs
    })
    noteRead()
    return (list as { data: unknown[] }).data
  }

  /** One call, with the client's own retries. `served` is told at the moment at which the engine answers. */
  async request(
    method: Method,
    path: string,
    params: object = {},
    options: Options = {},
    served: () => void = () => {},
  ): Promise<object> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#attempt(method, path, params, options, served)
      } catch (error) {
        const isFinal = error instanceof Stripe.errors.StripeInvalidRequestError || attempt === maxNetworkRetries
        if (isFinal) throw error
        await this.#world.pause(500 * 2 ** attempt)
      }
    }
  }

  /** The request arrives whether or not its sender is still alive; the answer may be lost, or late. */
  async #attempt(
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
        served()
        const answered = this.#answer(method, path, params, idempotencyKey)
        resolve(chance(roughness.stripeFault) ? unreachable : answered)
      })
    })
    const open = await answer
    if (open === unreachable) await world.pause(8000)
    await world.pause(world.latencyMs())
    return open()
  }

  #answer(method: Method, path: string, params: object, key: string | undefined): () => object {
    const kept = key === undefined ? undefined : this.#answers.get(key)
    if (kept) return kept
    try {
      // As it comes from the wire: not the engine's own object, which goes on changing.
      const text = JSON.stringify(this.engine.request(method, path, params))
      const answer = () => JSON.parse(text) as object
      if (key !== undefined) this.#answers.set(key, answer)
      return answer
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      const { body, status } = error
      return () => {
        throw new Stripe.errors.StripeInvalidRequestError({ ...body, statusCode: status } as never)
      }
    }
  }
}

const failing = () => {
  throw new Stripe.errors.StripeAPIError({ type: 'api_error', message: 'a fault of the story' })
}
const unreachable = () => {
  throw new Stripe.errors.StripeConnectionError({ type: 'api_error', message: 'a fault of the story' } as never)
}
