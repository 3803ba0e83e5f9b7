/** Smoke checks of the Stripe webhook: it accepts signed events, and refuses unsigned and too large ones. */
import { Stripe } from 'stripe'
import { type Finding, fail, ok, skip } from './checks.ts'
import { brief, jsonOf, type SmokeContext, unlessProblem } from './smoke-context.ts'
import type { Reply, Send } from './smoke-http.ts'

const webhookPath = '/api/v1/webhooks/stripe'
const noSecret = 'set STRIPE_WEBHOOK_SECRET to the signing secret of the endpoint'

/** The projector only counts an unknown type. */
const eventOf = (livemode: boolean): string =>
  JSON.stringify({
    id: `evt_smoke_${Date.now()}`,
    object: 'event',
    type: 'octomil.smoke_test',
    created: Math.floor(Date.now() / 1000),
    livemode,
    data: { object: {} },
  })

function deliver(send: Send, secret: string, livemode = false): Promise<Reply> {
  const body = eventOf(livemode)
  const signature = Stripe.webhooks.generateTestHeaderString({ payload: body, secret })
  return send({ method: 'POST', path: webhookPath, body, headers: { 'stripe-signature': signature } })
}

export async function signedWebhook({ send, webhookSecret }: SmokeContext): Promise<Finding> {
  if (webhookSecret === undefined) return skip(noSecret)
  const asTest = await deliver(send, webhookSecret)
  // The mode of the stage's Stripe key is unknown here.
  const reply = isWrongMode(asTest) ? await deliver(send, webhookSecret, true) : asTest
  if (reply.status >= 200 && reply.status < 300) return ok()
  const fix =
    reply.status === 503
      ? 'fill in the Stripe secret of the stage: aws secretsmanager put-secret-value'
      : 'store the endpoint’s signing secret in webhook_secrets of the Stripe secret'
  return fail('2xx to a signed event', brief(reply), fix)
}

function isWrongMode(reply: Reply): boolean {
  const { errors } = jsonOf(reply)
  return Array.isArray(errors) && errors.some(({ code }) => code === 'wrong_mode')
}

/** The receiver counts this delivery as refused; ten in an hour raise the alarm `webhook-refusals`. */
export async function forgedWebhook({ send, webhookSecret }: SmokeContext): Promise<Finding> {
  if (webhookSecret === undefined) return skip(noSecret)
  const reply = await deliver(send, 'whsec_smoke_forged')
  return (
    unlessProblem(reply, 400, 'invalid_input', 'deploy stripe-events/receive again: it accepts forged events') ?? ok()
  )
}

const receiverLimitBytes = 1024 * 1024

/** The webhook is the one public operation with a body, with a limit below API Gateway's. */
export async function bodyLimit({ send }: SmokeContext): Promise<Finding> {
  const reply = await send({ method: 'POST', path: webhookPath, body: ' '.repeat(receiverLimitBytes + 1) })
  const fix = 'see the log of the function stripe-events/receive'
  return unlessProblem(reply, 413, 'payload_too_large', fix) ?? ok()
}
