/** The outbound guard for unary gRPC calls: one POST over HTTP/2, whose status is in the trailers. */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import { allowedTarget, connect, explained, network, OutboundError, postDeadlineMs } from './call.ts'

export interface GrpcAnswer {
  status: number
  headers: IncomingHttpHeaders
  trailers: IncomingHttpHeaders | undefined
}

/** Of the answer's messages, at most this much is read. */
const maxBytes = 64 * 1024

/** @throws OutboundError when the host did not answer */
export async function postGrpc(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<GrpcAnswer> {
  const target = allowedTarget(url)
  const [through, http2] = await Promise.all([network(), import('node:http2')])
  const secure = target.protocol === 'https:'
  const peer = {
    hostname: target.hostname.replace(/^\[|\]$/g, ''),
    port: Number(target.port) || (secure ? 443 : 80),
    secure,
    protocol: 'h2',
  }
  const session = http2.connect(target.origin, { createConnection: () => connect(through, peer) })
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    const late = () => reject(new OutboundError('timeout', `${target.host} did not answer in time.`))
    timer = setTimeout(late, postDeadlineMs)
  })
  try {
    return await Promise.race([exchange(session, target, headers, body), tooLate])
  } catch (error) {
    throw error instanceof OutboundError ? error : explained(error, target)
  } finally {
    clearTimeout(timer)
    session.destroy()
  }
}

function exchange(
  session: ClientHttp2Session,
  target: URL,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<GrpcAnswer> {
  return new Promise((resolve, reject) => {
    // A stream that was canceled has the reason as its cause.
    const failed = (error: Error) => reject(error.cause ?? error)
    session.on('error', failed)
    // After the error, if there is one.
    const closed = () =>
      setImmediate(() => reject(new OutboundError('connection', `${target.host} closed the connection.`)))
    session.on('close', closed)
    const stream = session.request({ ':method': 'POST', ':path': target.pathname, ...headers })
    stream.on('error', failed).on('close', closed)
    collect(stream, resolve)
    stream.end(body)
  })
}

function collect(stream: ClientHttp2Stream, resolve: (answer: GrpcAnswer) => void): void {
  let headers: IncomingHttpHeaders = {}
  let trailers: IncomingHttpHeaders | undefined
  let size = 0
  const done = () => resolve({ status: Number(headers[':status']), headers, trailers })
  stream.on('response', (given) => {
    headers = given
    // No gRPC call: a proxy answered, and its body can be endless.
    if (given[':status'] !== 200) done()
  })
  stream.on('trailers', (given) => {
    trailers = given
  })
  stream.on('data', (chunk: Buffer) => {
    size += chunk.byteLength
    if (size > maxBytes) done()
  })
  // Trailers can come after the end of the data.
  stream.on('close', () => {
    if (headers[':status'] !== undefined) done()
  })
}
