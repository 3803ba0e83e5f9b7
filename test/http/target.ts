/** What the HTTP suite talks to: the local gateway, or a deployed API that `OCTOMIL_TARGET` names a file about. */
import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { stripeSecretKey, stripeWebhookSecret } from '@octomil/local-stripe'
import { type BodyOf, createSettingsClient, type SettingsClient } from '../../client/src/index.ts'
import { type OperationName, operationList } from '../../functions/operations.ts'
import type { Issuer } from '../../local/issuer.ts'
import { seed, seedServiceKey, startService } from '../../local/service.ts'
import type { DevState } from '../../local/state.ts'
import { matchPath } from '../../shared/http/route.ts'
import { newId } from '../../shared/ids.ts'
import type { BodyOf as AnyBodyOf } from '../support/invoke.ts'

export interface Target {
  url: string
  /** Sent as the Host header, which says to an emulator which API is meant. */
  host?: string
  orgs: DevState['orgs']
  /** A key of the operator. */
  serviceKey: string
  /** Tokens of two owners whose organizations no other file of the suite uses, so that they may buy. */
  buyers: readonly [string, string]
  /** The account at Stripe that the target is connected to. */
  stripe: { url: string; secretKey: string; webhookSecret: string }
  deployed: boolean
}

let opened: Promise<Target> | undefined

/** The target of this run. Default: a local service, which it starts. */
export function openTarget(): Promise<Target> {
  const file = process.env.OCTOMIL_TARGET
  opened ??= file ? Promise.resolve(JSON.parse(readFileSync(file, 'utf8')) as Target) : startLocal()
  return opened
}

async function startLocal(): Promise<Target> {
  const service = await startService({
    port: 0,
    tableName: process.env.TABLE_NAME ?? '',
    corsOrigins: ['https://dashboard.example.com'],
  })
  const orgs = await seed(service)
  const stripe = { url: service.url, secretKey: stripeSecretKey, webhookSecret: stripeWebhookSecret }
  const seeded = { orgs, serviceKey: await seedServiceKey() }
  return { url: service.url, ...seeded, buyers: await mintBuyers(service.issuer), stripe, deployed: false }
}

/** The issuer assigns people to organizations. An organization needs no creation. */
export async function mintBuyers(issuer: Issuer): Promise<Target['buyers']> {
  const mint = () =>
    issuer.mint({ sub: 'buyer', org_id: newId('org'), role: 'owner', email: 'buyer@example.com' }, 3600)
  return [await mint(), await mint()]
}

/** The organizations of a target: one on the default plan, one that has every feature. */
export function orgsOf({ orgs: [acme, globex] }: Target) {
  if (!acme || !globex) throw new Error('the target has no two organizations')
  return { acme, globex }
}

/** A response. The caller of `http` gives the type of its body. */
export interface HttpResponse<Body = AnyBodyOf<OperationName>> {
  status: number
  headers: Record<string, string>
  text: string
  body: Body
}

export interface HttpOptions {
  token?: string | undefined
  body?: unknown
  headers?: Record<string, string>
}

/** Ids of operations that answered with success. */
const succeeded = new Set<string>()

/** The operations of some resource folders that have not answered with success in this suite. */
export const notYetSucceeded = (folders: readonly string[]): string[] =>
  operationList
    .filter(([name, { id }]) => folders.includes(name.split('/')[0] ?? '') && !succeeded.has(id))
    .map(([, { id }]) => id)

/** Which file of the suite exercises which resource folders; together, all of them. */
export const suites = {
  service: ['api-keys', 'audit-events', 'meta'],
  billing: ['billing', 'stripe-events'],
  governance: ['org-settings', 'org-auth', 'org-policies', 'usage', 'usage-limits', 'integrations'],
  cloud: ['cloud-connections', 'cloud-credentials', 'cloud-policy', 'execution'],
} as const satisfies Record<string, readonly string[]>

/** The raw answers to the suite. */
const answers: string[] = []

/** The answers so far that contain a secret. */
export const answersWith = (secret: string): string[] => answers.filter((answer) => answer.includes(secret))

/**
 * The published client, as most callers of the suite: by an API key or a token, or by nothing. It tries once, so that
 * nothing is made good in silence.
 */
export const clientOf = (target: Target, credential?: string): SettingsClient =>
  createSettingsClient({ baseUrl: target.url, credential, retries: { attempts: 1 }, fetch: through(target) })

/** A client with a new key that has these scopes and a high rate limit. */
export async function busyClient(
  target: Target,
  { api_keys }: Target['orgs'][number],
  scopes: BodyOf<'/api/v2/settings/api-keys', 'post'>['scopes'],
): Promise<SettingsClient> {
  const body = { name: 'busy', scopes, rate_limit_per_minute: 100_000 }
  const { data } = await clientOf(target, api_keys.full_admin).POST('/api/v2/settings/api-keys', { body })
  return clientOf(target, data.api_key)
}

/** `fetch` to a target, for clients that take one. */
export const through = (target: Target) => async (request: Request) => {
  const { pathname, search } = new URL(request.url)
  const content = await request.text()
  const { status, headers, text } = await noted(target, request.method, pathname + search, {
    headers: Object.fromEntries(request.headers),
    ...(content === '' ? {} : { body: content }),
  })
  return new Response(text === '' ? null : text, { status, headers })
}

/** Sends one raw HTTP request, e.g. `http('GET', '/api/v1/health')`. */
export const http = async <Body = AnyBodyOf<OperationName>>(
  method: string,
  path: string,
  options?: HttpOptions,
): Promise<HttpResponse<Body>> => noted<Body>(await openTarget(), method, path, options)

async function noted<Body>(...[target, method, path, options]: Parameters<typeof httpTo>): Promise<HttpResponse<Body>> {
  const response = await httpTo<Body>(target, method, path, options)
  answers.push(JSON.stringify(response.headers) + response.text)
  note(method, path, response.status)
  return response
}

/** One HTTP request to a target that is at hand. */
export function httpTo<Body = AnyBodyOf<OperationName>>(
  { url, host }: Pick<Target, 'url' | 'host'>,
  method: string,
  path: string,
  { token, body, headers = {} }: HttpOptions = {},
): Promise<HttpResponse<Body>> {
  const content = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  return send(new URL(path, url), method, content, {
    ...(host ? { host } : {}),
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    ...(content === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(content)) }),
    ...headers,
  })
}

// Not fetch: it does not let the Host header be set.
function send<Body>(
  url: URL,
  method: string,
  content: string | undefined,
  headers: Record<string, string>,
): Promise<HttpResponse<Body>> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const received = Object.fromEntries(
          Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
        )
        const isJson = /[/+]json/.test(received['content-type'] ?? '')
        resolve({
          status: response.statusCode ?? 0,
          headers: received,
          text,
          body: isJson && text !== '' ? JSON.parse(text) : undefined,
        })
      })
    })
    request.on('error', reject)
    request.end(content)
  })
}

function note(method: string, path: string, status: number): void {
  if (status >= 300) return
  const [bare = ''] = path.split('?')
  const matching = operationList.filter(
    ([, operation]) => operation.method === method && matchPath(operation.path, bare),
  )
  // A path without parameters is the more specific, as for the gateway.
  const [found] = matching.sort(([, a], [, b]) => Number(a.path.includes('{')) - Number(b.path.includes('{')))
  if (found) succeeded.add(found[1].id)
}
