/** A provider or runtime on loopback. It gives the configured answers and records requests. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface TestProvider {
  /** Its origin, `http://127.0.0.1:…`. */
  url: string
  requests: { method: string; path: string; headers: IncomingMessage['headers'] }[]
  /** Replaces its behaviour from now on. */
  answer(listener: RequestListener): void
  close(): void
}

/** Answers every request with a text of some type. */
export const raw =
  (body: string | Buffer, status = 200, headers: Record<string, string> = {}): RequestListener =>
  (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, headers).end(body)
  }

/** Answers every request with JSON. */
export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): RequestListener =>
  raw(JSON.stringify(body), status, { 'content-type': 'application/json', ...headers })

/** What OpenAI and those that speak its protocol answer to `GET /models`. */
export const openAiModels = json({ object: 'list', data: [{ id: 'model-b' }, { id: 'model-a' }, { id: 'model-b' }] })

/** Says part of an answer and closes the connection. */
export const reset: RequestListener = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
  response.write('{"data":[', () => response.socket?.resetAndDestroy())
}

/** Says a character every 100 ms and never ends. */
export const drip: RequestListener = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  const timer = setInterval(() => response.write(' '), 100)
  response.on('close', () => clearInterval(timer))
}

/** Answers each request when `go` is called, and not before. */
export function heldUp(listener: RequestListener): { listener: RequestListener; asked: Promise<void>; go(): void } {
  const asked = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  return {
    listener: (request, response) => {
      asked.resolve()
      void released.promise.then(() => listener(request, response))
    },
    asked: asked.promise,
    go: released.resolve,
  }
}

/** With a key and a certificate it speaks HTTPS. */
export async function startProvider(
  listener: RequestListener = openAiModels,
  secure?: { key: string; cert: string },
): Promise<TestProvider> {
  let current = listener
  const requests: TestProvider['requests'] = []
  const serve: RequestListener = (request, response) => {
    requests.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers })
    current(request, response)
  }
  const server = secure ? createSecureServer(secure, serve) : createServer(serve)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  return {
    url: `${secure ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (next) => {
      current = next
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
