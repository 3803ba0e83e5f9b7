/** The whole service in one process: gateway, functions, a real DynamoDB engine, and doubles for KMS, sign-in and a provider. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createStripe, type LocalStripe, stripeSecretKey, stripeWebhookSecret } from '@octomil/local-stripe'
import { backgroundFunctions } from '../functions/background.ts'
import type { Throttle } from '../functions/throttles.ts'
import { deployedCommit } from '../lib/commit.ts'
import packageJson from '../package.json' with { type: 'json' }
import { serviceRateLimitPerMinute } from '../shared/auth/caller.ts'
import { serviceKeyScopes } from '../shared/auth/scopes.ts'
import type { PlanCode } from '../shared/billing/plans.ts'
import { environmentNames } from '../shared/runtime/environment.ts'
import type { BatchResult } from '../shared/runtime/table-stream.ts'
import { runBackground } from './background.ts'
import { answerClock, clockPath } from './clock.ts'
import { createTable, type Engine, enableStream, startEngine } from './engine.ts'
import { createEventBridge, eventsPath, type LocalEventBridge, localBusName } from './eventbridge.ts'
import { createGateway } from './gateway.ts'
import { createInbox, inboxBaseUrls, type LocalInbox, mailEndpoint } from './inbox.ts'
import { audience, createIssuer, type Issuer, issuerPath } from './issuer.ts'
import { auditKeyId, createKms, kmsKeyId, kmsPath } from './kms.ts'
import { answerAsProvider, providerPath } from './provider.ts'
import {
  answerReferenceScript,
  asksForPrefilled,
  prefilledReference,
  referencePath,
  referenceScriptPath,
} from './reference.ts'
import { createSqs, deliveryDeadLettersUrl, deliveryQueueUrl, type LocalSqs, sqsPath } from './sqs.ts'
import type { DevState } from './state.ts'
import { playStream, type Reader, type StreamPlayer } from './table-stream.ts'

export interface ServiceOptions {
  /** 0 for any free port. */
  port: number
  /** Folder for data and keys. Default: in memory. */
  folder?: string
  tableName?: string
  corsOrigins?: readonly string[]
  /** Runs after the port is bound, and before the folder is read. */
  prepare?: (port: number) => Promise<void>
  /** Interval of the billing sweep. Default: no schedule. */
  sweepEveryMs?: number
  /** Default throttle of each route. Without it, no throttling. */
  throttle?: Throttle
}

export interface Service {
  /** Adds a token to the reference page, from the next load on. */
  prefillReference(mint: () => Promise<string>): void
  url: string
  issuer: Issuer
  stripe: LocalStripe
  events: LocalEventBridge
  sqs: LocalSqs
  /** Resolves with the engine's output if it ends unexpectedly. */
  engineEnded: Promise<string>
  close(): Promise<void>
}

/** Starts the service. Sets the process's environment like that of deployed functions. */
export async function startService(options: ServiceOptions): Promise<Service> {
  // Early requests wait until everything runs: the port is bound first, because the issuer's URL contains it.
  const ready = Promise.withResolvers<RequestHandler>()
  const server = createServer(async (request, response) => (await ready.promise)(request, response))
  await listen(server, options.port)
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  let engine: Engine | undefined
  try {
    requireStripe(url)
    await options.prepare?.(port)
    setAwsEnvironment(url)
    const started = await startEngine(inFolder(options, 'dynamodb.sqlite'))
    engine = started
    const { handle, stream, ...parts } = await startParts(url, started, options)
    ready.resolve(handle)
    return {
      ...parts,
      url,
      engineEnded: started.ended,
      close: () => close(server, [parts.stripe, parts.events, stream, parts.sqs], started),
    }
  } catch (error) {
    server.close()
    await engine?.stop()
    throw error
  }
}

const inFolder = ({ folder }: ServiceOptions, name: string): string | undefined =>
  folder ? join(folder, name) : undefined

type Parts = Pick<Service, 'issuer' | 'stripe' | 'events' | 'sqs' | 'prefillReference'> & {
  handle: RequestHandler
  stream: StreamPlayer
}

/** Prepares the table, and creates the doubles and the gateway. */
async function startParts(url: string, { endpoint }: Engine, options: ServiceOptions): Promise<Parts> {
  const { folder, tableName = 'octomil-settings-local', corsOrigins = [], sweepEveryMs, throttle } = options
  process.env.AWS_ENDPOINT_URL_DYNAMODB = endpoint
  await createTable(endpoint, tableName)
  await enableStream(endpoint, tableName)
  const issuer = await createIssuer(url, inFolder(options, 'issuer-key.json'))
  setServiceEnvironment(tableName, issuer.url, url)
  setStripeEnvironment(url, corsOrigins)
  const stripe = createStripe({ url, webhookUrl: `${url}/api/v1/webhooks/stripe`, ...(folder ? { folder } : {}) })
  const events = createEventBridge({
    project: async (envelope) => void (await runBackground('stripe-events/project', envelope)),
    sweep: async () => void (await runBackground('stripe-events/sweep', { thorough: true })),
    ...(sweepEveryMs ? { sweepEveryMs } : {}),
  })
  const gateway = createGateway(throttle ? { throttle } : {})
  let docs: RequestHandler = gateway
  const api: RequestHandler = (request, response) => (asksForPrefilled(request) ? docs : gateway)(request, response)
  const prefillReference = (mint: () => Promise<string>): void => {
    docs = prefilledReference(mint)
  }
  const sqs = createSqs({
    receive: async (Records) => (await runBackground('integrations/send', { Records })) as BatchResult,
    ...(folder ? { file: join(folder, 'queues.json') } : {}),
  })
  const inbox = createInbox()
  const handle = everything(
    { issuer, stripe, events, sqs, inbox },
    createKms(inFolder(options, 'kms-key'), inFolder(options, 'audit-key.pem')),
    api,
  )
  const stream = playStream({ endpoint, tableName, readers: [sealer, router] })
  return { issuer, stripe, events, sqs, prefillReference, handle, stream }
}

/** Readers of the stream as Lambda starts them: by new audit events. */
const readerOf = (name: 'audit-events/seal' | 'integrations/route'): Reader => ({
  ...backgroundFunctions[name].trigger.tableStream,
  read: async (Records) => (await runBackground(name, { Records })) as BatchResult,
})
const sealer = readerOf('audit-events/seal')
const router = readerOf('integrations/route')

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}

function setAwsEnvironment(url: string): void {
  // Variables of the SDK. The doubles ignore the credentials.
  process.env.AWS_REGION = 'us-east-1'
  process.env.AWS_ACCESS_KEY_ID = 'local'
  process.env.AWS_SECRET_ACCESS_KEY = 'local'
  process.env.AWS_ENDPOINT_URL_KMS = url + kmsPath
  process.env.AWS_ENDPOINT_URL_EVENTBRIDGE = url + eventsPath
  process.env.AWS_ENDPOINT_URL_SQS = url + sqsPath
  process.env.AWS_ENDPOINT_URL_SESV2 = mailEndpoint(url)
}

/** A runtime on this machine can be registered and tested. Other private addresses are refused. */
export const localCidrs: readonly string[] = ['127.0.0.0/8', '::1/128']

function setServiceEnvironment(tableName: string, issuerUrl: string, url: string): void {
  const values: Partial<Record<keyof typeof environmentNames, string>> = {
    stage: 'local',
    billingOverride: 'on',
    serviceVersion: packageJson.version,
    commit: deployedCommit(),
    tableName,
    secretsKeyId: kmsKeyId,
    auditKeyId,
    signInProviders: 'google,github',
    mailSender: 'settings@octomil.localhost',
    outboundAllowedCidrs: localCidrs.join(','),
    oidcIssuer: issuerUrl,
    oidcAudience: audience,
    eventBusName: localBusName,
    deliveryQueueUrl: deliveryQueueUrl(url),
    deliveryDeadLettersUrl: deliveryDeadLettersUrl(url),
    integrationBaseUrls: inboxBaseUrls(url),
    referenceScriptUrl: referenceScriptPath,
  }
  for (const [key, value] of Object.entries(values))
    process.env[environmentNames[key as keyof typeof environmentNames]] = value
}

/**
 * Checks the variables of a real Stripe account in test mode, before the service deletes or starts anything.
 *
 * @throws Error naming the variable and the fix
 */
function requireStripe(url: string): void {
  const key = process.env[environmentNames.stripeSecretKey]
  if (key && !/^[rs]k_test_/.test(key)) {
    throw new Error(
      `${environmentNames.stripeSecretKey} must be a test key (sk_test_…): a live key would move real money.`,
    )
  }
  if (key && key !== stripeSecretKey) {
    const webhookSecret = process.env[environmentNames.stripeWebhookSecret]
    if (webhookSecret && !/^whsec_\w+(,\s*whsec_\w+)*$/.test(webhookSecret)) {
      throw new Error(
        `${environmentNames.stripeWebhookSecret} must be a signing secret (whsec_…): copy what \`stripe listen --forward-to ${url}/api/v1/webhooks/stripe\` prints.`,
      )
    }
    if (webhookSecret) return
    throw new Error(
      `${environmentNames.stripeSecretKey} is set and ${environmentNames.stripeWebhookSecret} is not: set it to the secret (whsec_…) that \`stripe listen --forward-to ${url}/api/v1/webhooks/stripe\` prints, or unset both for the local Stripe.`,
    )
  }
  if (!key && process.env[environmentNames.stripeWebhookSecret]) {
    throw new Error(
      `${environmentNames.stripeWebhookSecret} is set and ${environmentNames.stripeSecretKey} is not: set it to a test key (sk_test_…), or unset both for the local Stripe.`,
    )
  }
}

/** The local Stripe, unless the shell sets a real account's test key. */
function setStripeEnvironment(url: string, corsOrigins: readonly string[]): void {
  process.env[environmentNames.dashboardOrigins] = [...corsOrigins, url].join(',')
  if ((process.env[environmentNames.stripeSecretKey] ?? stripeSecretKey) !== stripeSecretKey) return
  process.env[environmentNames.stripeSecretKey] = stripeSecretKey
  process.env[environmentNames.stripeWebhookSecret] = stripeWebhookSecret
  process.env[environmentNames.stripeApiUrl] = url
}

type RequestHandler = NonNullable<Parameters<typeof createServer>[1]>

interface Doubles extends Pick<Service, 'issuer' | 'stripe' | 'events' | 'sqs'> {
  inbox: LocalInbox
}

function everything(
  { issuer, stripe, events, sqs, inbox }: Doubles,
  kms: RequestHandler,
  gateway: RequestHandler,
): RequestHandler {
  const parts: readonly (readonly [serves: (url: string) => boolean, RequestHandler])[] = [
    [(url) => url === '/', toReference],
    [(url) => url.startsWith(issuerPath), issuer.handle],
    [stripe.serves, stripe.handle],
    [events.serves, events.handle],
    [sqs.serves, sqs.handle],
    [inbox.serves, inbox.handle],
    [(url) => url === clockPath, answerClock],
    [(url) => url.startsWith(kmsPath), kms],
    [(url) => url.startsWith(providerPath), answerAsProvider],
    [(url) => url === referenceScriptPath, answerReferenceScript],
  ]
  const handlerOf = (url: string): RequestHandler => parts.find(([serves]) => serves(url))?.[1] ?? gateway
  return async (request, response) => {
    try {
      await handlerOf(request.url ?? '/')(request, response)
    } catch {
      // The client disconnected while sending the body: there is no connection to answer.
      response.destroy()
    }
  }
}

/** Redirects people who open the first printed address. A deployed stage has no root page. */
const toReference: RequestHandler = (_request, response) => {
  response.writeHead(302, { location: referencePath }).end()
}

async function close(server: Server, parts: readonly { close(): Promise<unknown> }[], engine: Engine): Promise<void> {
  for (const part of parts) await part.close()
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeIdleConnections()
  // Open connections have had two seconds to finish.
  const force = setTimeout(() => server.closeAllConnections(), 2000)
  await closed
  clearTimeout(force)
  await engine.stop()
}

/** Seeded orgs: one on the default plan, and one with every feature. */
export const seededOrgs: readonly SeededOrg[] = [{ name: 'Acme' }, { name: 'Globex', plan: 'enterprise' }]

interface SeededOrg {
  name: string
  plan?: PlanCode
}

/** Creates two orgs with keys, to try tenants, and tokens for each role. */
export async function seed(service: Service): Promise<DevState['orgs']> {
  const { createOrg, createOrgKey, findOrgIdByName, setPlan } = await import('../shared/operator/orgs.ts')
  const maker = () => ({ name: 'local-seed', requestId: 'local-seed', deadline: new Date(Date.now() + 10_000) })
  const orgs: DevState['orgs'] = []
  for (const { name, plan } of seededOrgs) {
    const orgId =
      (await findOrgIdByName(name)) ??
      (await createOrg({ name, owner_email: `owner@${name.toLowerCase()}.example` }, maker())).id
    if (plan) await setPlan(orgId, plan, maker())
    const full_admin = await createOrgKey(orgId, 'Seeded admin key', 'full_admin', maker())
    const read_only = await createOrgKey(orgId, 'Seeded read-only key', 'read_only', maker())
    orgs.push({
      org_id: orgId,
      name,
      api_keys: { full_admin, read_only },
      tokens: await mintTokens(service.issuer, orgId),
    })
  }
  return orgs
}

/** Creates a service key with every scope that service keys can hold, and returns its raw value. */
export async function seedServiceKey(): Promise<string> {
  const { createServiceKey } = await import('../shared/operator/service-keys.ts')
  const maker = { name: 'local-seed', requestId: 'local-seed', deadline: new Date(Date.now() + 10_000) }
  const definition = {
    name: 'Seeded service key',
    scopes: serviceKeyScopes,
    environment: 'live',
    rate_limit_per_minute: serviceRateLimitPerMinute,
  } as const
  return (await createServiceKey(definition, maker)).rawKey
}

const tokenTtlSeconds = 12 * 60 * 60

/** A token for each role of an org. */
export async function mintTokens(issuer: Issuer, orgId: string): Promise<DevState['orgs'][number]['tokens']> {
  const mint = (role: 'owner' | 'admin' | 'member') =>
    issuer.mint({ sub: `local-${role}`, org_id: orgId, role, email: `${role}@example.com` }, tokenTtlSeconds)
  return { owner: await mint('owner'), admin: await mint('admin'), member: await mint('member') }
}
