/**
 * The local inbox: what integrations would send to vendors and by mail arrives here. It shows the last requests, with every
 * secret masked, as a page and as JSON. A webhook whose URL is `/local/inbox/webhook` arrives here too.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { integrationIdHeader } from '../shared/delivery/send.ts'
import { type IntegrationType, integrationTypeNames } from '../shared/integrations/types.ts'
import { vendorTypes } from '../shared/integrations/vendors.ts'
import { maskOf, Secret } from '../shared/secrets/secret.ts'
import { object, text } from '../shared/untrusted.ts'
import { inboxPage } from './inbox-page.ts'
import { checkSignature, type Verdict } from './inbox-signature.ts'

const inboxPath = '/local/inbox'
const maxKept = 200

/** The vendors' base addresses on this machine, in the form of the stage option. */
export const inboxBaseUrls = (url: string): string =>
  vendorTypes.map((type) => `${type}=${url}${inboxPath}/${type}`).join(',')

/** The endpoint of SES on this machine. */
export const mailEndpoint = (url: string): string => `${url}${inboxPath}/email`

export interface Received {
  type: IntegrationType
  integration_id: string | null
  received_at: string
  method: string
  url: string
  headers: Record<string, string>
  body: unknown
}

/** What the page shows. The JSON has `received` only. */
export interface Entry {
  received: Received
  /** undefined: requests of this type carry no signature. */
  signature: Verdict | undefined
}

export interface LocalInbox {
  serves(url: string): boolean
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
}

export function createInbox(): LocalInbox {
  const entries: Entry[] = []
  return {
    serves: (url) => /^\/local\/inbox(?:$|[/?]|\.json(?:$|\?))/.test(url),
    handle: async (request, response) => {
      const url = new URL(request.url ?? '/', `http://${request.headers.host ?? '127.0.0.1'}`)
      const wanted = url.searchParams.get('type')
      if (url.pathname === `${inboxPath}.json`) {
        const data = entries.map(({ received }) => received).filter(({ type }) => wanted === null || type === wanted)
        return json(response, 200, { data })
      }
      if (url.pathname === inboxPath) return page(response, inboxPage(entries, wanted))
      const type = integrationTypeNames.find((name) => name === url.pathname.split('/')[3])
      if (!type) return json(response, 404, { detail: 'The inbox has no such type.' })
      entries.unshift(await read(request, url, type))
      entries.length = Math.min(entries.length, maxKept)
      return json(response, 202, {})
    },
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function page(response: ServerResponse, markup: string): void {
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy':
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'cache-control': 'no-store',
  }
  response.writeHead(200, headers).end(markup)
}

async function read(request: IncomingMessage, url: URL, type: IntegrationType): Promise<Entry> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  const body = parsed(bytes.toString('utf8'))
  const { [integrationIdHeader]: integrationId, ...sent } = request.headers
  const headers = Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, String(value)]))
  const received: Received = {
    type,
    integration_id: text(integrationId) ?? mailTag(body),
    received_at: new Date().toISOString(),
    method: request.method ?? '',
    url: shownUrl(url, type),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, shownHeader(name, value)])),
    body: withoutKey(body),
  }
  return { received, signature: await signatureOf(received, headers, bytes) }
}

/** Webhooks alone are signed. An engine or a key that fails leaves the signature unchecked: the request has arrived. */
const signatureOf = async ({ type, integration_id }: Received, headers: Record<string, string>, bytes: Buffer) =>
  type === 'webhook' ? checkSignature(integration_id, headers, bytes).catch(() => 'not checked' as const) : undefined

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}

function mailTag(body: unknown): string | null {
  const { EmailTags } = object(body)
  const tags = Array.isArray(EmailTags) ? EmailTags.map(object) : []
  return text(tags.find(({ Name }) => Name === 'integration_id')?.Value) ?? null
}

/** Types whose address is a secret. */
const secretAddresses: ReadonlySet<IntegrationType> = new Set(['slack', 'microsoft_teams', 'webhook', 'siem'])

function shownUrl({ origin, pathname, search }: URL, type: IntegrationType): string {
  const base = `${origin}${inboxPath}/${type}`
  const rest = `${pathname}${search}`.slice(`${inboxPath}/${type}`.length)
  if (rest === '' || !secretAddresses.has(type)) return base + rest
  return `${base}/${maskOf(new Secret(rest))}`
}

/** Headers of the sender and the protocol. Other ones are customers', and their values are secrets. */
const openHeaders =
  /^(?:accept|accept-encoding|connection|content-length|content-type|host|user-agent|webhook-id|webhook-timestamp|webhook-signature|transfer-encoding)$/

const shownHeader = (name: string, value: string): string =>
  openHeaders.test(name) ? value : maskOf(new Secret(value))

/** PagerDuty takes its key in the body. */
function withoutKey(body: unknown): unknown {
  const { routing_key } = object(body)
  return typeof routing_key === 'string' ? { ...object(body), routing_key: maskOf(new Secret(routing_key)) } : body
}
