/** HTTP for smoke checks: sets the Host header, follows no redirect, times out after 10 s. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'

export interface Call {
  method?: string
  /** A path of the API, or a URL from an answer. */
  path: string
  /** Sent as `Authorization: Bearer …`. */
  token?: string
  headers?: Readonly<Record<string, string>>
  body?: string
  /** Sends even after the end of the run's time. */
  cleansUp?: boolean
}

export interface Reply {
  /** URL of the answer. */
  url: URL
  status: number
  headers: Readonly<Record<string, string>>
  text: string
}

export type Send = (call: Call) => Promise<Reply>

/** No answer: the connection failed or timed out. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'
}

interface Connection {
  /** The address of the API, without a path. */
  url: string
  /** Address for all requests, with the original Host header: an emulator has one address for every API and site. */
  connect?: string | undefined
  timeoutMs: number
  /** The end of the run. */
  signal: AbortSignal
  /** Called before a retry. */
  onRetry(status: number, waitMs: number): void
}

/** Statuses of busy API Gateway or Lambda. */
const busyStatuses = [429, 503]
const defaultWaitMs = 1000
const maxWaitMs = 5000

/** Sends requests to the API. Retries a "busy" answer once, after its `Retry-After`, at most 5 s. */
export function senderOf(connection: Connection): Send {
  return async (call) => {
    const reply = await sendOnce(connection, call)
    if (!busyStatuses.includes(reply.status)) return reply
    const waitMs = Math.min(maxWaitMs, Number(reply.headers['retry-after']) * 1000 || defaultWaitMs)
    connection.onRetry(reply.status, waitMs)
    await new Promise((resolve) => setTimeout(resolve, waitMs))
    return sendOnce(connection, call)
  }
}

function sendOnce({ url: base, connect, timeoutMs, signal }: Connection, call: Call): Promise<Reply> {
  const url = new URL(call.path, base)
  const address = connect === undefined ? url : new URL(url.pathname + url.search, connect)
  const limit = AbortSignal.any([...(call.cleansUp ? [] : [signal]), AbortSignal.timeout(timeoutMs)])
  const { promise, resolve, reject } = Promise.withResolvers<Reply>()
  const noAnswer = (error: Error & { code?: string }) =>
    reject(new NoAnswerError(limit.aborted ? 'no answer in time' : `no answer: ${error.code ?? error.message}`))
  const send = address.protocol === 'https:' ? httpsRequest : httpRequest
  const request = send(
    address,
    {
      ...{ method: call.method ?? 'GET', agent: false, signal: limit },
      // An emulator reads the viewer's scheme from this header.
      headers: { ...headersOf(call, url), ...(connect ? { 'x-forwarded-proto': url.protocol.slice(0, -1) } : {}) },
    },
    (response) => read(response, url).then(resolve, noAnswer),
  )
  request.on('error', noAnswer)
  request.end(call.body)
  return promise
}

const headersOf = ({ token, body, headers }: Call, { host }: URL): Record<string, string> => ({
  host,
  'user-agent': 'octomil-smoke',
  ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  ...(body === undefined
    ? {}
    : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
  ...headers,
})

async function read(response: IncomingMessage, url: URL): Promise<Reply> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const headers = Object.fromEntries(
    Object.entries(response.headersDistinct).map(([name, values = []]) => [name, values.join(', ')]),
  )
  return { url, status: response.statusCode ?? 0, headers, text: Buffer.concat(chunks).toString('utf8') }
}
