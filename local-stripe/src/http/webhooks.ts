/**
 * Delivers events to the service with Stripe's signature, in their order, one at a time. It retries a failed delivery a few
 * times. No request waits for a delivery.
 */
import { createHmac } from 'node:crypto'
import type { Event } from '../model/objects.ts'

interface WebhookOptions {
  url: string
  secret: string
  /** Pauses before the second and each later attempt. */
  retryAfterMs?: readonly number[]
  /** Called with the id of each delivered event. */
  onDelivered?: (event: string) => void
}

interface Delivery {
  event: string
  type: string
  attempts: { at: string; status: number | null; error?: string }[]
  delivered: boolean
}

const defaultRetryAfterMs: readonly number[] = [250, 1000, 5000]
const timeoutMs = 30_000
const maxDeliveriesKept = 500

/** Stripe's signature of a body; `seconds` is the time of the signature. */
export function signWebhook(body: string, secret: string, seconds: number): string {
  const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')
  return `t=${seconds},v1=${signature}`
}

/** Sends events to one webhook endpoint. */
export class Webhooks {
  readonly deliveries: Delivery[] = []
  #options: WebhookOptions
  #waiting: Event[] = []
  #sending: Promise<void> | undefined
  #retries = new Set<NodeJS.Timeout>()
  #paused = false
  #stopped = new AbortController()

  constructor(options: WebhookOptions) {
    this.#options = options
  }

  /** Sends an event after all earlier events. */
  send(event: Event): void {
    this.#waiting.push(event)
    this.#drain()
  }

  /** Holds events back, like an outage of the network or the receiver. */
  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#drain()
  }

  /** Waits until each event had at least one attempt. */
  async idle(): Promise<void> {
    while (this.#sending) await this.#sending
  }

  /** Stops sending. Events that were not sent stay in the list of events. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#waiting = []
    for (const retry of this.#retries) clearTimeout(retry)
    await this.idle()
  }

  #drain(): void {
    if (this.#sending || this.#paused || this.#stopped.signal.aborted) return
    this.#sending = this.#sendAll().finally(() => {
      this.#sending = undefined
      if (this.#waiting.length > 0) this.#drain()
    })
  }

  async #sendAll(): Promise<void> {
    for (let event = this.#next(); event; event = this.#next()) {
      const delivery: Delivery = { event: event.id, type: event.type, attempts: [], delivered: false }
      this.deliveries.push(delivery)
      if (this.deliveries.length > maxDeliveriesKept) this.deliveries.shift()
      await this.#attempt(event, delivery)
    }
  }

  #next(): Event | undefined {
    return this.#paused ? undefined : this.#waiting.shift()
  }

  async #attempt(event: Event, delivery: Delivery): Promise<void> {
    const at = new Date().toISOString()
    try {
      const status = await this.#post(event)
      delivery.delivered = status >= 200 && status < 300
      delivery.attempts.push({ at, status })
    } catch (error) {
      delivery.attempts.push({ at, status: null, error: String((error as Error).message) })
    }
    if (delivery.delivered) this.#options.onDelivered?.(event.id)
    else this.#retryLater(event, delivery)
  }

  /** Retries a failed event separately, so that it does not delay the others. */
  #retryLater(event: Event, delivery: Delivery): void {
    const pauseMs = (this.#options.retryAfterMs ?? defaultRetryAfterMs)[delivery.attempts.length - 1]
    if (pauseMs === undefined || this.#stopped.signal.aborted) return
    const retry = setTimeout(() => {
      this.#retries.delete(retry)
      void this.#attempt(event, delivery)
    }, pauseMs)
    retry.unref()
    this.#retries.add(retry)
  }

  async #post(event: Event): Promise<number> {
    const { url, secret } = this.#options
    const body = JSON.stringify(event, null, 2)
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
        // The signature has the real time, not the local Stripe's: receivers compare it with their clock.
        'stripe-signature': signWebhook(body, secret, Math.floor(Date.now() / 1000)),
      },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#stopped.signal]),
    })
    await response.arrayBuffer()
    return response.status
  }
}
