/** The service's event bus, where Stripe's events wait for the projector. */
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge'
import { ProblemError } from '../problem.ts'
import { awsClientSettings } from '../runtime/aws-client.ts'
import { requiredEnvironment } from '../runtime/environment.ts'
import { log } from '../runtime/log.ts'
import { realTiming } from '../runtime/timing.ts'
import { type StripeEvent, slimmed, webhookSource } from './event.ts'

/** The limit of one entry: the bytes of source, detail type and detail together. */
const entryLimitBytes = 256 * 1024
/** The projector receives the envelope too, and Lambda's limit is the same as the bus's. */
const envelopeBytes = 2048
/** The bus can refuse an entry of a successful call. This many attempts follow, with pauses up to `maxPauseMs`. */
const maxAttempts = 3
const maxPauseMs = 400

let shared: EventBridgeClient | undefined

/** The client, made on first use. */
export function eventBridge(): EventBridgeClient {
  shared ??= new EventBridgeClient(awsClientSettings)
  return shared
}

/**
 * Puts an event on the bus, unchanged, or slimmed if it is too large.
 *
 * @throws ProblemError `service_unavailable` when the bus refuses it; the sender must send it again
 */
export async function putStripeEvent(event: StripeEvent, asReceived: string): Promise<void> {
  const entry = entryOf(event, asReceived)
  for (let attempt = 1; ; attempt++) {
    const { FailedEntryCount = 0, Entries = [] } = await eventBridge().send(new PutEventsCommand({ Entries: [entry] }))
    if (FailedEntryCount === 0) return
    const code = Entries[0]?.ErrorCode
    log.warn('the bus refused a Stripe event', { event_id: event.id, error_code: code, attempt })
    if (attempt === maxAttempts) throw notTaken()
    await realTiming.sleep(realTiming.random() * maxPauseMs)
  }
}

const notTaken = () =>
  new ProblemError('service_unavailable', 'The service could not put the event on its bus. Send it again.', {
    headers: { 'retry-after': '5' },
  })

function entryOf(event: StripeEvent, asReceived: string): PutEventsRequestEntry {
  const fits = Buffer.byteLength(asReceived) + envelopeBytes <= entryLimitBytes
  return {
    EventBusName: requiredEnvironment('eventBusName'),
    Source: webhookSource,
    DetailType: event.type,
    Detail: fits ? asReceived : JSON.stringify(slimmed(event)),
  }
}
