/** The request of one delivery. Parts that hold a secret stay a `Secret` until the sender reveals them. */
import type { Secret } from '../secrets/secret.ts'
import type { RenderedEvent } from './event.ts'

export interface DeliveryRequest {
  /** `grpc`: over HTTP/2, with the status in the trailers (`grpcOutcome`). */
  transport: 'http' | 'grpc'
  method: 'POST'
  url: Secret
  headers: Readonly<Record<string, string | Secret>>
  body: string | Uint8Array | Secret
}

/** The decrypted configuration of an integration: plain fields, and secrets. */
export type OpenedConfig = Readonly<Record<string, unknown>>

/** Types whose address is the vendor's. A stage can replace it. */
export type VendorType = 'slack' | 'microsoft_teams' | 'pagerduty' | 'opsgenie' | 'datadog'

export interface DeliveryOptions {
  now: Date
  /** `integration_base_urls` of the stage: an origin and perhaps a path. */
  baseUrls?: Readonly<Partial<Record<VendorType, string>>> | undefined
  /** The former signing secret, while it lives on. */
  replacedSecret?: Secret | undefined
}

/** The request of a type. */
export type Format = (config: OpenedConfig, rendered: RenderedEvent, options: DeliveryOptions) => DeliveryRequest

/** Configuration fields by kind. A missing one is a mistake of the caller: incomplete integrations get no delivery. */
export function secretOf(config: OpenedConfig, name: string): Secret {
  const value = config[name]
  if (value === undefined || typeof (value as Secret).reveal !== 'function') throw new TypeError(`no secret ${name}`)
  return value as Secret
}

export const textOf = (config: OpenedConfig, name: string): string | undefined =>
  config[name] === undefined ? undefined : String(config[name])

export const headersOf = (config: OpenedConfig): Readonly<Record<string, Secret>> =>
  (config.headers as Readonly<Record<string, Secret>> | undefined) ?? {}

/** A vendor's URL under the base address of the stage, if it has one. */
export function basedUrl(url: string, base: string | undefined): string {
  if (base === undefined) return url
  const { pathname, search } = new URL(url)
  return `${base.replace(/\/+$/, '')}${pathname}${search}`
}

export const json = { 'content-type': 'application/json' } as const

/** The parts of a request as the sender writes them to the socket. Its result holds secrets: never log it. */
export function revealed({ url, headers, body }: DeliveryRequest): {
  url: string
  headers: Record<string, string>
  body: Buffer
} {
  const open = (value: string | Secret): string => (typeof value === 'string' ? value : value.reveal())
  return {
    url: url.reveal(),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, open(value)])),
    body: body instanceof Uint8Array ? Buffer.from(body) : Buffer.from(open(body), 'utf8'),
  }
}
