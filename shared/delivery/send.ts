/** One attempt: renders an event and sends it through the outbound guard. The status decides. */

import type { IntegrationRecord } from '../integrations/record.ts'
import { OutboundError, post } from '../outbound/call.ts'
import { shortened } from '../outbound/diagnostic.ts'
import { ProblemError } from '../problem.ts'
import type { Attempt } from './delivery.ts'
import { open } from './open.ts'
import { type DeliveredEvent, outgoingOf } from './outgoing.ts'

export interface Sent extends Attempt {
  retryAfter?: string | undefined
}

/** Sends an event. A receiver that refuses or fails is the result. Rejects when our own services fail. */
export async function send(
  orgId: string,
  integration: IntegrationRecord,
  event: DeliveredEvent,
  now: Date,
): Promise<Sent> {
  const started = performance.now()
  const failed = (error: string, status_code: number | null = null): Sent => ({
    ...{ at: now.toISOString(), status_code, latency_ms: Math.round(performance.now() - started) },
    error: shortened(error),
  })
  try {
    const { url, headers, body } = outgoingOf(await open(orgId, integration), event, now)
    const { status, retryAfter } = await post(url, headers, body)
    if (status < 200 || status > 299)
      return { ...failed(`The endpoint answered with status ${status}.`, status), retryAfter }
    return {
      at: now.toISOString(),
      status_code: status,
      latency_ms: Math.round(performance.now() - started),
      error: null,
    }
  } catch (error) {
    if (error instanceof OutboundError) return failed(error.message, error.status)
    // Another key or row encrypted the secret: only the customer can store it again.
    if (error instanceof ProblemError && error.code === 'server_error') return failed(error.message)
    throw error
  }
}
