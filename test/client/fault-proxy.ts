/** A proxy before the service that lets faults happen to requests on their way, one a request, in the order given. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Fault =
  /** The connection breaks before the service has seen the request. */
  | 'request lost'
  /** The service has done its work; the connection breaks before a byte of the answer. */
  | 'answer lost'
  /** The connection breaks in the middle of the answer. */
  | 'answer cut'
  | 'silence'
  /** Answered by the proxy itself. */
  | { status: number; headers?: Record<string, string>; body?: string }

export interface FaultProxy {
  url: string
  /** What came in, in order. */
  requests: { method: string; path: string; headers: IncomingHttpHeaders; atMs: number }[]
  /** What happens to the next requests; those after them go through. */
  inject(...faults: Fault[]): void
  close(): void
}

/** Starts a proxy before the service at `target`. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const requests: FaultProxy['requests'] = []
  const pending: Fault[] = []
  const server = createServer(async (request, response) => {
    const { method = 'GET', url = '/', headers } = request
    requests.push({ method, path: url, headers, atMs: performance.now() })
    await respond(pending.shift(), target, request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    inject: (...faults) => {
      requests.length = 0
      pending.splice(0, pending.length, ...faults)
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function respond(
  fault: Fault | undefined,
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (fault === 'request lost') return void request.socket.destroy()
  if (fault === 'silence') return
  if (typeof fault === 'object') {
    response.writeHead(fault.status, fault.headers).end(fault.body)
    return
  }
  const answer = await forward(target, request)
  if (fault === 'answer lost') return void request.socket.destroy()
  response.writeHead(answer.status, answer.headers)
  if (fault !== 'answer cut') return void response.end(answer.body)
  response.write(answer.body.subarray(0, answer.body.length / 2), () => request.socket.destroy())
}

async function forward(target: string, request: IncomingMessage) {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { host: _host, connection: _connection, ...headers } = request.headersDistinct
  const answer = await fetch(new URL(request.url ?? '/', target), {
    method: request.method ?? 'GET',
    headers: Object.entries(headers).map(([name, values]): [string, string] => [name, (values ?? []).join(',')]),
    ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
  })
  return {
    status: answer.status,
    headers: Object.fromEntries(answer.headers),
    body: Buffer.from(await answer.arrayBuffer()),
  }
}
