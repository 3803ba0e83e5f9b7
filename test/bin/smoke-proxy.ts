/** A proxy before the service that changes answers on their way, as a wrong gateway or a wrong deploy would. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Passing {
  method: string
  path: string
  headers: IncomingHttpHeaders
}

export interface Answer {
  status: number
  headers: Record<string, string>
  body: string
}

type Change = Partial<Answer> | 'reset' | undefined

/** Changes an answer or resets the connection; undefined lets the answer pass. */
export type Break = (passing: Passing, answer: Answer) => Change | Promise<Change>

export interface SmokeProxy {
  url: string
  /** What came in, in order. */
  passed: Passing[]
  break: Break | undefined
  close(): void
}

/** Larger than what the checks send, so that the proxy can let through what a gateway refuses. */
const maxHeaderSize = 64 * 1024

export async function startSmokeProxy(target: string): Promise<SmokeProxy> {
  const server = createServer({ maxHeaderSize }, async (request, response) => {
    const { method = 'GET', url: path = '/', headers } = request
    const passing = { method, path, headers }
    proxy.passed.push(passing)
    const answer = await forward(target, request)
    const change = await proxy.break?.(passing, answer)
    if (change === 'reset') return void request.socket.destroy()
    const { status, headers: sent, body } = { ...answer, ...change }
    response.writeHead(status, sent).end(method === 'HEAD' ? undefined : Buffer.from(body, 'latin1'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: SmokeProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed: [],
    break: undefined,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
  return proxy
}

async function forward(target: string, request: IncomingMessage): Promise<Answer> {
  const { method, headers } = request
  const forwarded = send(new URL(request.url ?? '/', target), { method, headers, agent: false })
  request.pipe(forwarded)
  const [response] = (await once(forwarded, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const {
    'content-length': _length,
    'transfer-encoding': _chunked,
    connection: _connection,
    ...rest
  } = response.headers
  return {
    status: response.statusCode ?? 0,
    headers: Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, String(value)])),
    body: Buffer.concat(chunks).toString('latin1'),
  }
}
