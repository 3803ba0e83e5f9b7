/** Reception and processing of Stripe's events. */
import * as z from 'zod'
import { changeAccess } from '../../shared/access.ts'
import { operation } from '../../shared/http/operation.ts'
import type { BackgroundFunction } from '../../shared/runtime/background.ts'

export const receiveStripeEvent = operation({
  id: 'stripe-events.receive',
  route: 'POST /api/v1/webhooks/stripe',
  tag: 'Webhooks',
  scope: 'public',
  summary: 'Receive a Stripe event',
  description:
    'For Stripe only. `Stripe-Signature` must sign the body with a signing secret of this deployment, at most 5 minutes ago. The service answers after it puts the event on the event bus. After a 5xx, Stripe sends the event again.',
  rawBody: 'A snapshot event as Stripe sends it, at most 1 MiB.',
  answers: () => ({ 200: z.object({ received: z.literal(true) }).meta({ id: 'StripeEventReceived' }) }),
  refusals: ['service_unavailable'],
  access: { table: [], stripe: true, events: 'put' },
  withoutEvent: true,
})

export const projectStripeEvent = {
  id: 'stripe-events.project',
  summary: 'Updates the customer of a Stripe event',
  trigger: { events: 'stripe' },
  timeoutSeconds: 60,
  access: { ...changeAccess, stripe: true },
} satisfies BackgroundFunction

export const sweepBilling = {
  id: 'stripe-events.sweep',
  summary: 'Finds and corrects lost events and drifted customers',
  trigger: { everyMinutes: 60 },
  timeoutSeconds: 600,
  access: { table: ['GetItem', 'Query', 'PutItem', 'UpdateItem'], stripe: true },
} satisfies BackgroundFunction
