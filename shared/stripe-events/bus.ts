/** The service's event bus, on which Stripe's events wait for the projector. */
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge'
import { ProblemError } from '../problem.ts'
import { awsClientSettings } from '../runtime/aws-client.ts'
import { requiredEnvironment } from '../runtime/environment.ts'
import { log } from '../runtime/log.ts'
import { realTiming } from '../runtime/timing.ts'
import { type StripeEvent, slimmed, webhookSource } from './event.ts'

/** What the bus takes of one entry: the bytes of its source, its detail type and its detail together. */
const entryLimitBytes = 256 * 1024
/** The projector is handed the envelope too, and Lambda takes no more than the bus does. */
const envelopeBytes = 2048
/** The bus can refuse an entry of a call that succeeds; it is put again, so often and after pauses of up to so long. */
const maxAttempts = 3
const maxPauseMs = 400

let shared: EventBridgeClient | undefined

/** The client, made on first use. */
export function eventBridge(): EventBridgeClient {
  shared ??= new EventBridgeClient(awsClientSettings)
  return shared
}

/**
 * Puts an event on the bus, as it came, or slimmed to what is read of it where it is too large.
 *
 * @throws ProblemError `service_unavailable` when the bus does not take it; whoever sent it is to send it again
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
  new ProblemError('service_unavailable', 'The event could not be put on the bus; send it again.', {
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
