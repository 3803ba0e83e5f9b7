/** One attempt: renders an event and sends it through the outbound guard, or as mail. The status decides. */
import type { IntegrationRecord } from '../integrations/record.ts'
import { OutboundError, post } from '../outbound/call.ts'
import { postGrpc } from '../outbound/call-grpc.ts'
import { shortened } from '../outbound/diagnostic.ts'
import { ProblemError } from '../problem.ts'
import { environmentList } from '../runtime/environment.ts'
import type { Attempt } from './delivery.ts'
import { emailOf } from './email.ts'
import { type DeliveredEvent, type RenderedEvent, renderEvent } from './event.ts'
import { requestOf } from './formats.ts'
import { grpcOutcome } from './grpc.ts'
import { mailSender, sendMail } from './mail.ts'
import { type OpenIntegration, open } from './open.ts'
import { type DeliveryRequest, revealed } from './request.ts'

/** Names the integration, for receivers that serve many. */
export const integrationIdHeader = 'octomil-integration-id'

export interface Sent extends Attempt {
  retryAfter?: string | undefined
}

interface Outcome {
  status: number | null
  /** null: the status decides. */
  error: string | null
  retryAfter?: string | undefined
}

/** Sends an event. A receiver that refuses or fails is the result. Rejects when our own services fail. */
export async function send(
  orgId: string,
  integration: IntegrationRecord,
  event: DeliveredEvent,
  now: Date,
): Promise<Sent> {
  const opened = await openOrFault(orgId, integration)
  const started = performance.now()
  const { status, error, retryAfter } =
    'error' in opened ? opened : await sendOpened(integration, opened, renderEvent(event), now)
  return {
    ...{ at: now.toISOString(), status_code: status, latency_ms: Math.round(performance.now() - started) },
    error: error === null ? faultOf(status) : shortened(error),
    retryAfter,
  }
}

const faultOf = (status: number | null): string | null =>
  status !== null && status >= 200 && status <= 299 ? null : `The endpoint answered with status ${status}.`

async function openOrFault(orgId: string, integration: IntegrationRecord): Promise<OpenIntegration | Outcome> {
  try {
    return await open(orgId, integration)
  } catch (error) {
    // Another key or row encrypted the secret: only the customer can store it again.
    if (error instanceof ProblemError && error.code === 'server_error') return { status: null, error: undecryptable }
    throw error
  }
}

const undecryptable = 'A stored secret cannot be decrypted. Store it again: PATCH the integration.'

async function sendOpened(
  { id, type }: IntegrationRecord,
  { config, replacedSecret }: OpenIntegration,
  rendered: RenderedEvent,
  now: Date,
): Promise<Outcome> {
  if (type === 'email') return sendMail(emailOf(config, rendered, mailSender() ?? ''), id)
  const request = requestOf(type, config, rendered, { now, baseUrls: baseUrls(), replacedSecret })
  try {
    return await sendRequest(request, id)
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error
    return { status: error.status, error: error.message }
  }
}

async function sendRequest(request: DeliveryRequest, integrationId: string): Promise<Outcome> {
  const { url, headers, body } = revealed(request)
  const all = { ...headers, [integrationIdHeader]: integrationId }
  if (request.transport === 'grpc') {
    const answer = await postGrpc(url, all, body)
    return { ...grpcOutcome(answer), retryAfter: answer.headers['retry-after'] }
  }
  return { ...(await post(url, all, body)), error: null }
}

/** The stage's base addresses of vendors: `slack=https://…`. */
const baseUrls = (): Record<string, string> =>
  Object.fromEntries(
    environmentList('integrationBaseUrls').map((entry) => {
      const at = entry.indexOf('=')
      return [entry.slice(0, at), entry.slice(at + 1)]
    }),
  )
