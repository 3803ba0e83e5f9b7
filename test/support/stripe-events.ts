/** Stripe's events to test with: bodies, real signatures, deliveries to the webhook. */
import { randomUUID } from 'node:crypto'
import { signWebhook } from '@octomil/local-stripe'
import { invoke, type Response } from './invoke.ts'

export const webhookSecret = 'whsec_local'

/** An event in Stripe's format. By default its customer belongs to no org. */
export function stripeEvent(overrides: Record<string, unknown> = {}, object: Record<string, unknown> = {}) {
  return {
    id: `evt_${randomUUID().replaceAll('-', '')}`,
    object: 'event',
    api_version: '2026-10-28.endive',
    created: Math.floor(Date.now() / 1000),
    data: { object: { id: 'sub_1', object: 'subscription', customer: 'cus_nobody', status: 'active', ...object } },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type: 'customer.subscription.updated',
    ...overrides,
  }
}

interface Signing {
  secret?: string
  /** Epoch seconds of the signature. */
  at?: number
}

/** The header that Stripe sends with a body. */
export const signatureOf = (body: string, { secret = webhookSecret, at = Date.now() / 1000 }: Signing = {}): string =>
  signWebhook(body, secret, Math.floor(at))

/** What a delivery of Stripe is, for `invoke`. */
export const delivery = (event: object | string, signing?: Signing) => {
  const rawBody = typeof event === 'string' ? event : JSON.stringify(event, null, 2)
  return { rawBody, headers: { 'stripe-signature': signatureOf(rawBody, signing) } }
}

/** Delivers an event to the webhook. */
export const deliver = (event: object | string, signing?: Signing): Promise<Response> =>
  invoke('stripe-events/receive', delivery(event, signing))
