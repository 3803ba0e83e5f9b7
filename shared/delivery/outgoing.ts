/** The request that carries an event to an integration. */
import { createHmac } from 'node:crypto'
import type { AuditEvent } from '../audit/event.ts'
import type { IntegrationType } from '../integrations/types.ts'

/** An event as integrations get it: as it is served, without the number of its block. */
export type DeliveredEvent = Omit<AuditEvent, 'sealed' | 'action'> & { action: string }

/** An integration with its secrets decrypted. */
export interface OpenIntegration {
  id: string
  type: IntegrationType
  name: string
  config: Readonly<Record<string, unknown>>
  /** The signing secret that was replaced less than a day ago. */
  formerSecret?: string
}

export interface Outgoing {
  url: string
  headers: Record<string, string>
  body: string
}

const keyOf = (secret: string): Buffer =>
  secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret)

const signed = (secret: string, text: string): string =>
  `v1,${createHmac('sha256', keyOf(secret)).update(text).digest('base64')}`

/** Renders an event. The same event gives the same body each time; the signature covers the time of the attempt. */
export function outgoingOf(integration: OpenIntegration, event: DeliveredEvent, now: Date): Outgoing {
  const { config, formerSecret } = integration
  const body = JSON.stringify({ type: event.action, timestamp: event.timestamp, data: event })
  const seconds = Math.floor(now.getTime() / 1000)
  const text = `${event.id}.${seconds}.${body}`
  const secrets = [config.signing_secret as string, ...(formerSecret ? [formerSecret] : [])]
  return {
    url: String(config.url),
    headers: {
      ...(config.headers as Record<string, string> | undefined),
      'content-type': 'application/json',
      'webhook-id': event.id,
      'webhook-timestamp': String(seconds),
      'webhook-signature': secrets.map((secret) => signed(secret, text)).join(' '),
    },
    body,
  }
}
