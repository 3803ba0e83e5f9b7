/**
 * Standard Webhooks 1.0.0. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHmac } from 'node:crypto'
import { signingKey } from '../integrations/signing-secret.ts'
import type { Secret } from '../secrets/secret.ts'
import { type Format, headersOf, json, secretOf } from './request.ts'

export const webhookRequest: Format = (config, { event, data }, { now, replacedSecret }) => {
  const timestamp = String(Math.floor(now.getTime() / 1000))
  // The event is spliced in as text, so that each attempt sends the same bytes.
  const body = `{"type":${JSON.stringify(event.action)},"timestamp":${JSON.stringify(event.timestamp)},"data":${data}}`
  // The newest secret signs first.
  const secrets = [secretOf(config, 'signing_secret'), ...(replacedSecret ? [replacedSecret] : [])]
  return {
    transport: 'http',
    method: 'POST',
    url: secretOf(config, 'url'),
    headers: {
      ...headersOf(config),
      ...json,
      'webhook-id': event.id,
      'webhook-timestamp': timestamp,
      'webhook-signature': secrets.map((secret) => signature(secret, `${event.id}.${timestamp}.${body}`)).join(' '),
    },
    body,
  }
}

const signature = (secret: Secret, content: string): string =>
  `v1,${createHmac('sha256', signingKey(secret.reveal())).update(content).digest('base64')}`
