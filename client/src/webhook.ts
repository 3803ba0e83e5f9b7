/**
 * Verification of webhooks: Standard Webhooks 1.0.0, with Web Crypto only.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import type { components } from './schema.ts'

type AuditEvent = components['schemas']['AuditEvent']

type EventOf<Type extends string> = {
  type: Type
  /** When the event happened, not when it was sent. */
  timestamp: string
  data: Omit<AuditEvent, 'sealed' | 'action'> & { action: Type }
}

/** The body of a webhook. `type` selects the event; `integration.test` comes from *Test an integration*. */
export type WebhookEvent = { [Action in AuditEvent['action'] | 'integration.test']: EventOf<Action> }[
  | AuditEvent['action']
  | 'integration.test']

/** The webhook is not authentic, too old, or no webhook. Answer it with a 400, and ignore its body. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError'
}

/** The headers of a request: `Headers`, or an object like Node's. */
export type WebhookHeaders =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>

export interface WebhookOptions {
  /** How far the sender's clock may be from ours, in seconds. Default: 300. */
  toleranceSeconds?: number
  /** Our clock, in milliseconds. Default: `Date.now()`. */
  nowMs?: number
}

/**
 * Verifies a webhook and returns its event. Store `webhook-id` to recognize repeated deliveries.
 *
 * @param body the body as it came, before any parsing
 * @param secret the signing secret of the integration, or several while you replace it
 * @throws WebhookVerificationError
 */
export async function verifyWebhook(
  headers: WebhookHeaders,
  body: string | Uint8Array,
  secret: string | readonly string[],
  { toleranceSeconds = 300, nowMs = Date.now() }: WebhookOptions = {},
): Promise<WebhookEvent> {
  const id = requiredHeader(headers, 'webhook-id')
  const timestamp = requiredHeader(headers, 'webhook-timestamp')
  const signatures = signaturesIn(requiredHeader(headers, 'webhook-signature'))
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(nowMs / 1000 - Number(timestamp)) > toleranceSeconds)
    throw new WebhookVerificationError('The webhook is too old, or its timestamp is in the future.')
  const secrets = typeof secret === 'string' ? [secret] : secret
  if (secrets.length === 0 || secrets.includes('')) throw new TypeError('A secret is required, and none may be empty.')
  const bytes = typeof body === 'string' ? encoder.encode(body) : body
  const content = joined(encoder.encode(`${id}.${timestamp}.`), bytes)
  if (!(await hasSignature(content, signatures, secrets)))
    throw new WebhookVerificationError('No signature of the webhook matches a secret.')
  return parsed(bytes)
}

const encoder = new TextEncoder()

function headerOf(headers: WebhookHeaders, name: string): string | null | undefined {
  if (typeof headers.get === 'function') return headers.get(name)
  const entry = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1]
  return typeof entry === 'string' ? entry : undefined
}

function requiredHeader(headers: WebhookHeaders, name: string): string {
  const value = headerOf(headers, name)
  if (!value) throw new WebhookVerificationError(`The header ${name} is missing.`)
  return value
}

/** Signatures other than ours do no harm, but each costs a computation. */
const maxSignatures = 10

/** The signatures of version 1. Others, and broken ones, cannot match. */
const signaturesIn = (header: string): Uint8Array<ArrayBuffer>[] =>
  header
    .split(' ')
    .slice(0, maxSignatures)
    .flatMap((part) => (part.startsWith('v1,') ? (decodedBase64(part.slice(3)) ?? []) : []))

function decodedBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}

/** `whsec_` and base64 of 24 to 64 bytes gives those bytes; any other secret gives its UTF-8. */
function keyBytes(secret: string): Uint8Array<ArrayBuffer> {
  const decoded = secret.startsWith('whsec_') ? decodedBase64(secret.slice(6)) : undefined
  return decoded && decoded.length >= 24 && decoded.length <= 64 ? decoded : encoder.encode(secret)
}

/** Web Crypto compares in constant time. All pairs are compared, so that the time shows no match. */
async function hasSignature(
  content: Uint8Array<ArrayBuffer>,
  signatures: readonly Uint8Array<ArrayBuffer>[],
  secrets: readonly string[],
): Promise<boolean> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const results = await Promise.all(
    secrets.map(async (secret) => {
      const key = await crypto.subtle.importKey('raw', keyBytes(secret), algorithm, false, ['verify'])
      return Promise.all(signatures.map((signature) => crypto.subtle.verify('HMAC', key, signature, content)))
    }),
  )
  return results.flat().includes(true)
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(first.length + second.length)
  all.set(first)
  all.set(second, first.length)
  return all
}

/** The signature proves that the service wrote the body, so its form is known. */
function parsed(bytes: Uint8Array): WebhookEvent {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as WebhookEvent
  } catch (cause) {
    throw new WebhookVerificationError('The body of the webhook is not JSON.', { cause })
  }
}
