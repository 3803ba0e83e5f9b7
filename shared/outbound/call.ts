/**
 * The runtime part of the outbound guard: one GET or POST of a URL from a customer or provider. The socket's own lookup
 * checks every address of the name, so the name cannot change between check and connect. No proxy, no redirect, no kept
 * connection; one deadline for everything, and a size limit on the response.
 */
import type { LookupAddress } from 'node:dns'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { isIP, type LookupFunction, type Socket } from 'node:net'
import { environment } from '../runtime/environment.ts'
import { isAllowedAddress } from './address.ts'
import { shortened } from './diagnostic.ts'
import { allowedCidrs, callableUrlRules } from './rules.ts'
import { writtenUrlFault } from './written-url.ts'

const deadlineMs = 10_000
const bodyCapBytes = 1024 * 1024

export interface OutboundAnswer {
  status: number
  body: Buffer
  contentType: string
  latencyMs: number
}

/** Why a call failed, or its response could not be read. */
export type OutboundFault = 'blocked' | 'name' | 'connection' | 'tls' | 'timeout' | 'protocol' | 'too_large'

/** A failed call. The message is for the customer: it names the host, but never an address or a header. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError'
  readonly fault: OutboundFault
  /** The status of a response that could not be read completely. */
  readonly status: number | null

  constructor(fault: OutboundFault, message: string, cause?: unknown, status: number | null = null) {
    super(shortened(message), { cause })
    this.fault = fault
    this.status = status
  }
}

/** The network modules. The first call loads them, since TLS alone is a third of a cold start. */
export async function network() {
  const [dns, net, tls, http, https] = await Promise.all([
    import('node:dns'),
    import('node:net'),
    import('node:tls'),
    import('node:http'),
    import('node:https'),
  ])
  return { dns: dns.default, net: net.default, tls: tls.default, http: http.default, https: https.default }
}

type Network = Awaited<ReturnType<typeof network>>

/** @throws OutboundError when the host did not respond, or the response could not be read completely */
export async function call(url: string, headers: Readonly<Record<string, string>>): Promise<OutboundAnswer> {
  const started = performance.now()
  const answer = await exchange(url, { method: 'GET', headers, deadlineMs }, readAnswer)
  return { ...answer, latencyMs: Math.round(performance.now() - started) }
}

export const postDeadlineMs = 15_000
/** Of an answer whose status is known, at most this much is read, and no longer than this. */
const drainedBytes = 64 * 1024
const drainMs = 1000

interface PostAnswer {
  status: number
  retryAfter: string | undefined
}

/**
 * Posts a body. The status is the answer, however its body ends.
 *
 * @throws OutboundError when the host did not respond with a status
 */
export const post = (
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string | Buffer,
): Promise<PostAnswer> =>
  exchange(url, { method: 'POST', headers, body, deadlineMs: postDeadlineMs }, async (response) => {
    await drain(response)
    return { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] }
  })

/** Lets a well-behaved host finish its answer, so that it sees no aborted request. */
async function drain(response: IncomingMessage): Promise<void> {
  let size = 0
  const timer = setTimeout(() => response.destroy(), drainMs)
  try {
    for await (const chunk of response) {
      size += (chunk as Buffer).byteLength
      if (size > drainedBytes) break
    }
  } catch {
    // The status is known.
  } finally {
    clearTimeout(timer)
  }
}

interface Sending {
  method: 'GET' | 'POST'
  headers: Readonly<Record<string, string>>
  body?: string | Buffer
  deadlineMs: number
}

/** @throws OutboundError `blocked` when the text of a URL breaks the rules of the stage */
export function allowedTarget(url: string): URL {
  const fault = writtenUrlFault(url, callableUrlRules())
  if (fault) throw new OutboundError('blocked', `The URL is not allowed: it ${fault}.`)
  return new URL(url)
}

async function exchange<T>(url: string, sending: Sending, read: (response: IncomingMessage) => Promise<T>): Promise<T> {
  const target = allowedTarget(url)
  const through = await network()
  let timer: NodeJS.Timeout | undefined
  let request: ClientRequest | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new OutboundError('timeout', `${target.host} did not answer in time.`)),
      sending.deadlineMs,
    )
  })
  try {
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      request = send(through, target, sending)
      // For an unexpected protocol switch (101), Node would only close the socket.
      const upgraded = () => reject(new OutboundError('protocol', `${target.host} did not answer with HTTP.`))
      request.on('response', resolve).on('upgrade', upgraded).on('error', reject).end(sending.body)
    }).then(read)
    return await Promise.race([answer, tooLate])
  } catch (error) {
    throw error instanceof OutboundError ? error : explained(error, target)
  } finally {
    clearTimeout(timer)
    request?.destroy()
  }
}

function send(through: Network, target: URL, { method, headers, body }: Sending): ClientRequest {
  const secure = target.protocol === 'https:'
  const hostname = target.hostname.replace(/^\[|\]$/g, '')
  const port = Number(target.port) || (secure ? 443 : 80)
  const options = {
    method,
    // Without an agent: the port that the Host header leaves out.
    defaultPort: secure ? 443 : 80,
    // Firewalls of some providers refuse clients without a user agent.
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      connection: 'close',
      'user-agent': `octomil-settings/${environment('serviceVersion') ?? 'local'}`,
      ...headers,
      ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
    },
    // An agent could reuse sockets that were checked for another call, or use a proxy of the environment.
    createConnection: () => connect(through, { hostname, port, secure }),
  }
  return (secure ? through.https : through.http).request(target, options)
}

interface Peer {
  hostname: string
  port: number
  secure: boolean
  /** The protocol to agree on with TLS. */
  protocol?: string
}

export function connect({ dns, net, tls }: Network, { hostname, port, secure, protocol = 'http/1.1' }: Peer): Socket {
  const options = { host: hostname, port, lookup: guardedLookup(dns), autoSelectFamily: true }
  if (!secure) return net.connect(options)
  // SNI takes names only, not addresses (RFC 6066, section 3).
  return tls.connect({
    ...options,
    ALPNProtocols: [protocol],
    ...(isIP(hostname) ? {} : { servername: hostname.replace(/\.$/, '') }),
  })
}

/** Resolves like the system. Refuses the name if any of its addresses is not allowed. */
const guardedLookup =
  (dns: Network['dns']): LookupFunction =>
  (hostname, options, callback) => {
    dns.lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[] = []) => {
      const refusal = error ?? refusalOf(hostname, addresses)
      if (refusal) callback(refusal, [])
      else if (options.all) callback(null, addresses)
      else callback(null, addresses[0]?.address ?? '', addresses[0]?.family)
    })
  }

function refusalOf(hostname: string, addresses: readonly LookupAddress[]): OutboundError | undefined {
  if (addresses.length === 0) return new OutboundError('name', `The name ${hostname} has no address.`)
  const cidrs = allowedCidrs()
  if (addresses.every(({ address }) => isAllowedAddress(address, cidrs))) return undefined
  return new OutboundError('blocked', `The name ${hostname} resolves to a private, local or reserved address.`)
}

async function readAnswer(response: IncomingMessage): Promise<Omit<OutboundAnswer, 'latencyMs'>> {
  const { statusCode = 0, headers } = response
  const chunks: Buffer[] = []
  let size = 0
  const tooLarge = () =>
    new OutboundError('too_large', `The answer is larger than ${bodyCapBytes / 1024} KiB.`, undefined, statusCode)
  if (Number(headers['content-length']) > bodyCapBytes) throw tooLarge()
  for await (const chunk of response) {
    size += (chunk as Buffer).byteLength
    if (size > bodyCapBytes) throw tooLarge()
    chunks.push(chunk as Buffer)
  }
  return { status: statusCode, contentType: headers['content-type'] ?? '', body: Buffer.concat(chunks) }
}

const connectionFaults: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection',
  ECONNRESET: 'closed the connection before it answered',
  EPIPE: 'closed the connection before it answered',
  ETIMEDOUT: 'did not accept the connection in time',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached',
}

export function explained(error: unknown, { host, hostname }: URL): OutboundError {
  const { code = '' } = codeOf(error)
  if (['ENOTFOUND', 'EAI_AGAIN', 'ENODATA'].includes(code))
    return new OutboundError('name', `The name ${hostname} was not found.`, error)
  const connection = connectionFaults[code]
  if (connection) return new OutboundError('connection', `${host} ${connection}.`, error)
  if (code.startsWith('HPE_')) return new OutboundError('protocol', `${host} did not answer with HTTP.`, error)
  if (/CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO/.test(code))
    return new OutboundError('tls', `No secure connection to ${host}: ${code}.`, error)
  return new OutboundError('connection', `${host} could not be called${code === '' ? '' : `: ${code}`}.`, error)
}

/** With several addresses, the error holds all attempts. The first code is enough. */
const codeOf = (error: unknown): { code?: string } =>
  error instanceof AggregateError && error.errors[0] ? codeOf(error.errors[0]) : (error as { code?: string })
