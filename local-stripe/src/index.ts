/**
 * Stripe on this machine, for trying and testing: its API for what this service uses, its hosted pages, its webhooks, and
 * a clock that can be moved forward. No card number that is typed here means anything, and nothing leaves the machine.
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

/** Where the hosted pages and the controls are. */
const stripePath = '/local/stripe'
/** Where the API is: at the root, since Stripe's client cannot be told a folder. */
const stripeApiPath = '/v1/'

/** Any `sk_test_…` opens the local Stripe; these are what the local service uses. */
export const stripeSecretKey = 'sk_test_local'
export const stripeWebhookSecret = 'whsec_local'

export interface StripeOptions {
  /** Where this server is reached, without a path. */
  url: string
  /** Where state is kept, in `stripe.json`; without it, in memory. */
  folder?: string
  /** Where events are sent. */
  webhookUrl: string
  webhookSecret?: string
  /** Milliseconds since the epoch; the wall clock by default. */
  now?: () => number
  /** For ids that are the same in every run. */
  seed?: string
  /** Pauses before each further attempt to deliver an event. */
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

/** The API, the pages and controls, and the dashboard that people come back to when there is no other. */
const ours = /^\/(?:v1\/|local\/stripe(?:[/?]|$)|settings\/)/

/** How often what falls due by itself is looked for. */
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
  const kept = folder ? keepStore(engine.store, join(folder, 'stripe.json')) : undefined
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
    serves: (path) => ours.test(path),
    handle: async (request, response) => {
      try {
        if ((request.url ?? '/').startsWith(stripeApiPath)) await api(request, response)
        else if (!(await control(request, response))) await pages(request, response)
      } catch (error) {
        // A caller that went away in the middle of its request, or a fault of ours; neither ends the service.
        if (!request.destroyed) console.error(error)
        if (!response.headersSent) response.writeHead(500)
        response.end()
      }
    },
    close: async () => {
      clearInterval(tick)
      await webhooks.stop()
      kept?.flush()
    },
  }
}
