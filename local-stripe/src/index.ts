/**
 * Stripe on this machine, for trying and testing: the API that this service uses, hosted pages, webhooks, and a clock that
 * moves forward. It accepts test cards only.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { createControl } from './http/control.ts'
import { type Fault, Faults } from './http/faults.ts'
import { createHttpApi } from './http/http-api.ts'
import { signWebhook, Webhooks } from './http/webhooks.ts'
import { createStripeEngine, type StripeEngine } from './model/engine.ts'
import { createPages } from './pages/pages.ts'
import { keepStore } from './saved-store.ts'

export { type Fault, signWebhook }

/** Path of the hosted pages and the controls. */
const stripePath = '/local/stripe'
/** Path of the API: at the root, because Stripe's client takes no base path. */
const stripeApiPath = '/v1/'

/** The local Stripe accepts any `sk_test_…`; the local service uses these. */
export const stripeSecretKey = 'sk_test_local'
export const stripeWebhookSecret = 'whsec_local'

export interface StripeOptions {
  /** URL of this server, without a path. */
  url: string
  /** Folder for the state, in `stripe.json`; without it, the state stays in memory. */
  folder?: string
  /** Receives the events. */
  webhookUrl: string
  webhookSecret?: string
  /** Milliseconds since the epoch; the wall clock by default. */
  now?: () => number
  /** A seed gives the same ids in every run. */
  seed?: string
  /** Pauses before the second and each later attempt to deliver an event. */
  webhookRetryAfterMs?: readonly number[]
}

export interface LocalStripe {
  engine: StripeEngine
  webhooks: Webhooks
  /** Whether a request is for the local Stripe. */
  serves(path: string): boolean
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
  close(): Promise<void>
}

/** Paths of the API, of pages and controls, and of the default dashboard. */
const servedPaths = /^\/(?:v1\/|local\/stripe(?:[/?]|$)|settings\/)/

/** Interval of the check for renewals, retries and other due work. */
const tickMs = 5000

export function createStripe({ url, folder, webhookUrl, ...options }: StripeOptions): LocalStripe {
  const engine = createStripeEngine({
    seed: options.seed ?? randomBytes(16).toString('hex'),
    pagesUrl: url + stripePath,
    ...(options.now ? { now: options.now } : {}),
  })
  const webhooks = new Webhooks({
    url: webhookUrl,
    secret: options.webhookSecret ?? stripeWebhookSecret,
    ...(options.webhookRetryAfterMs ? { retryAfterMs: options.webhookRetryAfterMs } : {}),
    onDelivered: (event) => engine.store.noteDelivery(event),
  })
  const saved = folder ? keepStore(engine.store, join(folder, 'stripe.json')) : undefined
  engine.onEvent((event) => webhooks.send(event))
  const faults = new Faults()
  const api = createHttpApi(engine, faults)
  const control = createControl(engine, webhooks, faults)
  const pages = createPages(engine)
  const tick = setInterval(() => engine.catchUp(), tickMs)
  tick.unref()
  return {
    engine,
    webhooks,
    serves: (path) => servedPaths.test(path),
    handle: guarded(async (request, response) => {
      if ((request.url ?? '/').startsWith(stripeApiPath)) await api(request, response)
      else if (!(await control(request, response))) await pages(request, response)
    }),
    close: async () => {
      clearInterval(tick)
      await webhooks.stop()
      saved?.flush()
    },
  }
}

/** The caller closed the connection, or this code has a bug. Neither may stop the service. */
const guarded =
  (handle: LocalStripe['handle']): LocalStripe['handle'] =>
  async (request, response) => {
    try {
      await handle(request, response)
    } catch (error) {
      if (!request.destroyed) console.error(error)
      if (!response.headersSent) response.writeHead(500)
      response.end()
    }
  }
