/** How Stripe's events come in, and what is done about them. */

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
    'For Stripe alone: the body must be signed in `Stripe-Signature` with a signing secret of this deployment, at most 5 minutes ago. The event is answered once it is on the event bus; a 5xx asks for it again.',
  rawBody: 'A snapshot event as Stripe sends it, at most 1 MiB.',
  answers: () => ({ 200: z.object({ received: z.literal(true) }).meta({ id: 'StripeEventReceived' }) }),
  refusals: ['service_unavailable'],
  access: { table: [], stripe: true, events: 'put' },
  withoutEvent: true,
})

export const projectStripeEvent = {
  id: 'stripe-events.project',
  summary: 'Brings up to date the customer that an event of Stripe is about',
  trigger: { events: 'stripe' },
  timeoutSeconds: 60,
  access: { ...changeAccess, stripe: true },
} satisfies BackgroundFunction

export const sweepBilling = {
  id: 'stripe-events.sweep',
  summary: 'Finds events that were lost and customers that have drifted, and corrects them',
  trigger: { everyMinutes: 60 },
  timeoutSeconds: 600,
  access: { table: ['GetItem', 'Query', 'PutItem', 'UpdateItem'], stripe: true },
} satisfies BackgroundFunction
