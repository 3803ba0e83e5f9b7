/**
 * The live part of the outbound guard: one GET of a URL that a customer or provider gave. Every address that its name
 * has is judged in the socket's own look-up, so that a name cannot change between the check and the connect. No proxy, no
 * redirect, no connection kept; one deadline over all of it, and a cap on what is read.
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

/** Why there is no answer, or none that could be read. */
export type OutboundFault = 'blocked' | 'name' | 'connection' | 'tls' | 'timeout' | 'protocol' | 'too_large'

/** A call that came to no answer. The message is for the customer: it names the host and never an address or a header. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError'
  readonly fault: OutboundFault
  /** Of an answer that could not be read whole. */
  readonly status: number | null

  constructor(fault: OutboundFault, message: string, cause?: unknown, status: number | null = null) {
    super(shortened(message), { cause })
    this.fault = fault
    this.status = status
  }
}

/** What speaks to the network. Loaded by the first call: TLS alone is a third of a cold start. */
async function network() {
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

/** @throws OutboundError when nothing answered, or what answered could not be read whole */
export async function call(url: string, headers: Readonly<Record<string, string>>): Promise<OutboundAnswer> {
  const writtenFault = writtenUrlFault(url, callableUrlRules())
  if (writtenFault) throw new OutboundError('blocked', `The URL is not allowed: it ${writtenFault}.`)
  const target = new URL(url)
  const through = await network()
  const started = performance.now()
  let timer: NodeJS.Timeout | undefined
  let request: ClientRequest | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new OutboundError('timeout', `${target.host} did not answer in time.`)), deadlineMs)
  })
  try {
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      request = send(through, target, headers)
      // Of a protocol that nobody asked for (101), Node would only close the socket.
      const upgraded = () => reject(new OutboundError('protocol', `${target.host} did not answer with HTTP.`))
      request.on('response', resolve).on('upgrade', upgraded).on('error', reject).end()
    }).then(readAnswer)
    const { status, contentType, body } = await Promise.race([answer, tooLate])
    return { status, contentType, body, latencyMs: Math.round(performance.now() - started) }
  } catch (error) {
    throw error instanceof OutboundError ? error : explained(error, target)
  } finally {
    clearTimeout(timer)
    request?.destroy()
  }
}

function send(through: Network, target: URL, headers: Readonly<Record<string, string>>): ClientRequest {
  const secure = target.protocol === 'https:'
  const hostname = target.hostname.replace(/^\[|\]$/g, '')
  const port = Number(target.port) || (secure ? 443 : 80)
  const options = {
    method: 'GET',
    // What an agent would know: the port that the Host header does not name.
    defaultPort: secure ? 443 : 80,
    // Firewalls before some providers refuse callers that do not say who they are.
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      connection: 'close',
      'user-agent': `octomil-settings/${environment('serviceVersion') ?? 'local'}`,
      ...headers,
    },
    // An agent could keep sockets that were judged for another call, or speak to a proxy of the environment.
    createConnection: () => connect(through, { hostname, port, secure }),
  }
  return (secure ? through.https : through.http).request(target, options)
}

interface Peer {
  hostname: string
  port: number
  secure: boolean
}

function connect({ dns, net, tls }: Network, { hostname, port, secure }: Peer): Socket {
  const options = { host: hostname, port, lookup: guardedLookup(dns), autoSelectFamily: true }
  if (!secure) return net.connect(options)
  // Server names are names; an address has none (RFC 6066, section 3).
  return tls.connect({
    ...options,
    ALPNProtocols: ['http/1.1'],
    ...(isIP(hostname) ? {} : { servername: hostname.replace(/\.$/, '') }),
  })
}

/** Resolves as the system does, and lets nothing through unless all of it is allowed. */
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
  return new OutboundError('blocked', `The name ${hostname} leads to a private, local or reserved address.`)
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
  ECONNRESET: 'closed the connection before it had answered',
  EPIPE: 'closed the connection before it had answered',
  ETIMEDOUT: 'could not be connected to in time',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached',
}

function explained(error: unknown, { host, hostname }: URL): OutboundError {
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

/** Trying several addresses fails with all of their errors; the first tells enough. */
const codeOf = (error: unknown): { code?: string } =>
  error instanceof AggregateError && error.errors[0] ? codeOf(error.errors[0]) : (error as { code?: string })
