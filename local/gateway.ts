/**
 * API Gateway's HTTP API and Lambda on one machine: routes, permissions, throttles, limits and their answers.
 * `docs/gateway.md` has the source of each behaviour, and lists the unverified ones.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { catchAll, routeList } from '../functions/operations.ts'
import { routeThrottles, type Throttle } from '../functions/throttles.ts'
import { type ApiName, apiArn, matchesArn, permittedSource, routeArn } from '../lib/route-arn.ts'
import { type Operation, routeKeyOf } from '../shared/http/operation.ts'
import { matchPath } from '../shared/http/route.ts'
import { nextUlid } from '../shared/ids.ts'
import {
  functionAnswer,
  type GatewayAnswer,
  lambdaPayloadLimitBytes,
  ownAnswer,
  sendAnswer,
} from './gateway-answers.ts'
import { type ReceivedRequest, toEvent } from './gateway-event.ts'
import { type TakeToken, tokenBuckets } from './token-bucket.ts'

export type LambdaHandler = (event: unknown, context: unknown) => Promise<unknown>

export interface GatewayOptions {
  /** Default throttle of each route. Without it, no throttling. */
  throttle?: Throttle
  /** The clock of the throttle, in milliseconds. */
  now?: () => number
  /** Loads a function's handler by name, `api-keys/list`. */
  load?: (name: string) => Promise<LambdaHandler>
  /** The end of the SourceArn in the permission of an operation's function. */
  permission?: (operation: Operation) => string
  /** When Lambda stops a function: a 500. */
  functionTimeoutMs?: number
  /** When API Gateway gives up on Lambda: a 503. */
  integrationTimeoutMs?: number
}

interface Matched {
  name: string
  routeKey: string
  pathParameters: Record<string, string>
  /** Whether the permission of the function matches the route's ARN. */
  permitted: boolean
}

type Gateway = Required<Omit<GatewayOptions, 'throttle' | 'now' | 'permission'>> & {
  take: TakeToken
  match: (method: string, path: string) => Matched
}

const api: ApiName = { region: 'us-east-1', account: '000000000000', apiId: 'local' }
const bodyLimitBytes = 10 * 1024 * 1024
/** Maximum of the request line and all header values together. */
const headLimitBytes = 10_240

/** Handles requests as API Gateway and Lambda do. */
export function createGateway({
  throttle,
  now = () => performance.now(),
  load = loadOnce(),
  permission = permittedSource,
  functionTimeoutMs = 28_000,
  integrationTimeoutMs = 30_000,
}: GatewayOptions = {}) {
  const take = throttle ? tokenBuckets(routeThrottles(throttle), now) : () => true
  const gateway: Gateway = { take, match: matcher(permission), load, functionTimeoutMs, integrationTimeoutMs }
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const requestId = nextUlid()
    sendAnswer(response, await answer(gateway, request, requestId), requestId)
  }
}

async function answer(gateway: Gateway, request: IncomingMessage, requestId: string): Promise<GatewayAnswer> {
  const target = `http://gateway.invalid${request.url ?? '/'}`
  const url = request.url?.startsWith('/') ? URL.parse(target) : null
  if (!url) return ownAnswer(400)
  if (headBytes(request) > headLimitBytes) return ownAnswer(431)
  const matched = gateway.match(request.method ?? 'GET', url.pathname)
  if (!gateway.take(matched.routeKey)) return ownAnswer(429)
  const body = await readBody(request)
  if (!body) return ownAnswer(413)
  if (!matched.permitted) {
    console.error(`The permission of ${matched.name} does not match the route ${matched.routeKey}`)
    return ownAnswer(500)
  }
  return integrate(gateway, matched, { request, url, body, requestId })
}

function headBytes({ method = '', url = '', httpVersion, rawHeaders }: IncomingMessage): number {
  let sum = method.length + url.length + httpVersion.length + '  HTTP/'.length
  // Names and values alternate.
  for (let index = 1; index < rawHeaders.length; index += 2) sum += rawHeaders[index]?.length ?? 0
  return sum
}

/** Routes without parameters come first, as API Gateway prefers a full match. */
function matcher(permission: (operation: Operation) => string): Gateway['match'] {
  const isPermitted = (operation: Operation, route: Parameters<typeof routeArn>[1]) =>
    matchesArn(apiArn(api) + permission(operation), routeArn(api, route))
  const routes = routeList
    .map(({ name, operation, route }) => ({ name, route, permitted: isPermitted(operation, route) }))
    .sort((a, b) => Number(a.route.path.includes('{')) - Number(b.route.path.includes('{')))
  const unmatched = { name: catchAll.name, permitted: isPermitted(catchAll.operation, '$default') }
  return (method, path) => {
    for (const { name, route, permitted } of routes) {
      const pathParameters = route.method === method ? matchPath(route.path, path) : undefined
      if (pathParameters) return { name, routeKey: routeKeyOf(route), pathParameters, permitted }
    }
    return { ...unmatched, routeKey: '$default', pathParameters: {} }
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
  if (length === undefined && encoding === undefined) return emptyBody
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size <= bodyLimitBytes) chunks.push(chunk as Buffer)
  }
  return size > bodyLimitBytes ? undefined : Buffer.concat(chunks)
}

const emptyBody = Buffer.alloc(0)

/** Calls the function until the integration times out. The function keeps running. */
async function integrate(gateway: Gateway, matched: Matched, received: ReceivedRequest): Promise<GatewayAnswer> {
  const event = toEvent(received, matched, { accountId: api.account, apiId: api.apiId })
  if (received.body.length > 0 && Buffer.byteLength(JSON.stringify(event)) > lambdaPayloadLimitBytes)
    return ownAnswer(413)
  const invoked = invoke(gateway, matched.name, event, received.requestId)
  return within(gateway.integrationTimeoutMs, invoked, () => ownAnswer(503))
}

/** Runs the function as Lambda does: an error or a timeout is a 500. */
async function invoke(
  { load, functionTimeoutMs }: Gateway,
  name: string,
  event: object,
  awsRequestId: string,
): Promise<GatewayAnswer> {
  try {
    const handler = await load(name)
    const end = Date.now() + functionTimeoutMs
    const output = handler(event, { awsRequestId, getRemainingTimeInMillis: () => end - Date.now() })
    return await within(functionTimeoutMs, Promise.resolve(output).then(functionAnswer), () => {
      console.error(`${name} timed out after ${functionTimeoutMs} ms`)
      return ownAnswer(500)
    })
  } catch (error) {
    console.error(error)
    return ownAnswer(500)
  }
}

/** The result of `work`, or `otherwise` after the timeout. */
async function within<T>(ms: number, work: Promise<T>, otherwise: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise()), ms)
  })
  return await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** Imports each function's module once, on its first request. */
function loadOnce(): (name: string) => Promise<LambdaHandler> {
  const functions = new Map<string, Promise<LambdaHandler>>()
  return (name) => {
    const loaded =
      functions.get(name) ??
      import(/* @vite-ignore */ new URL(`../functions/${name}.ts`, import.meta.url).href).then(
        (module) => module.handler,
      )
    functions.set(name, loaded)
    return loaded
  }
}
