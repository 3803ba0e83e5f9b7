/**
 * Receives deliveries of our webhook. It accepts only a recent, valid signature of Stripe, and events in the mode of
 * this stage.
 */
import { invalidInput, ProblemError } from '../problem.ts'
import { environment, environmentNames } from '../runtime/environment.ts'
import { emitMetrics } from '../runtime/metrics.ts'
import { isLivemode, renewedStripeSecrets, type StripeSecrets, stripeSecrets } from '../stripe/secrets.ts'
import { putStripeEvent } from './bus.ts'
import { type StripeEvent, stripeEventSchema } from './event.ts'
import { judgeSignature } from './signature.ts'

const bodyLimitBytes = 1024 * 1024

interface Delivery {
  body: Uint8Array
  /** The header `Stripe-Signature`. */
  signature: string | undefined
  now: Date
  requestId: string
}

/** Why a delivery was refused; a dimension of its metric. */
type Reason = 'size' | 'signature' | 'timestamp' | 'malformed' | 'livemode'

/**
 * Checks a delivery and puts its event on the bus.
 *
 * @throws ProblemError `invalid_input`, `payload_too_large` for an untrusted delivery, which is not stored
 * @throws ProblemError `service_unavailable` when Stripe's secrets are not set, or the bus refuses the event
 */
export async function receive(delivery: Delivery): Promise<void> {
  const { body, requestId } = delivery
  if (body.byteLength > bodyLimitBytes) {
    throw refused('size', requestId, new ProblemError('payload_too_large', 'The body is larger than 1 MiB.'))
  }
  const { secretKey } = await requireSignature(delivery)
  const { event, text } = parse(delivery)
  if (event.livemode !== isLivemode(secretKey)) {
    const mode = event.livemode ? 'live' : 'test'
    throw refused(
      'livemode',
      requestId,
      fault('livemode', 'wrong_mode', `is of ${mode} mode, but this deployment is not`),
    )
  }
  await putStripeEvent(event, text)
  const { id, type } = event
  emitMetrics(
    'Stripe event received',
    { StripeEventsReceived: 1 },
    { event_id: id, event_type: type, request_id: requestId },
  )
}

/** One error for every fault of a signature: it must not help an attacker to forge one. */
async function requireSignature({ body, signature, now, requestId }: Delivery): Promise<ConfiguredSecrets> {
  const judge = ({ webhookSecrets: secrets }: StripeSecrets) =>
    judgeSignature({ body, header: signature, secrets, now })
  let secrets = await stripeSecrets()
  let verdict = judge(secrets)
  if (verdict === 'not_signed') {
    // A new webhook secret may have been added since the last read.
    secrets = await renewedStripeSecrets()
    verdict = judge(secrets)
  }
  const configured = requireConfigured(secrets)
  if (verdict === 'valid') return configured
  const reason = verdict === 'not_signed' ? 'signature' : 'timestamp'
  const message = 'must be a signature of this body by Stripe, at most 5 minutes old'
  throw refused(reason, requestId, fault('Stripe-Signature', 'invalid_signature', message))
}

type ConfiguredSecrets = Required<StripeSecrets>

function requireConfigured({ secretKey, webhookSecrets }: StripeSecrets): ConfiguredSecrets {
  if (webhookSecrets.length === 0) throw notConfigured('webhook_secrets', 'stripeWebhookSecret')
  if (secretKey === undefined) throw notConfigured('secret_key', 'stripeSecretKey')
  return { secretKey, webhookSecrets }
}

/** A 503, so that Stripe sends the event again once the secrets are set. */
function notConfigured(field: string, variable: 'stripeWebhookSecret' | 'stripeSecretKey'): ProblemError {
  const place = environment('stripeSecretArn')
    ? `the field ${field} of the Secrets Manager secret that ${environmentNames.stripeSecretArn} names`
    : environmentNames[variable]
  return new ProblemError('service_unavailable', `The webhook is not connected to Stripe yet. Fill in ${place}.`)
}

function parse({ body, requestId }: Delivery): { event: StripeEvent; text: string } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
    return { event: stripeEventSchema().parse(JSON.parse(text)), text }
  } catch {
    throw refused(
      'malformed',
      requestId,
      fault('', 'not_an_event', 'has a valid signature, but is not a snapshot event of Stripe'),
    )
  }
}

const fault = (path: string, code: string, message: string) => invalidInput([{ path, code, message }])

function refused(reason: Reason, requestId: string, problem: ProblemError): ProblemError {
  emitMetrics('Stripe event refused', { StripeEventsRefused: 1 }, { reason, request_id: requestId })
  return problem
}
