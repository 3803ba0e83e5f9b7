/** A provider or runtime on loopback that answers as it is told to, and remembers what it was asked. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface TestProvider {
  /** Its origin, `http://127.0.0.1:…`. */
  url: string
  requests: { method: string; path: string; headers: IncomingMessage['headers'] }[]
  /** Replaces what it does from here on. */
  answer(listener: RequestListener): void
  close(): void
}

/** Answers every request with JSON. */
export const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): RequestListener =>
  (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  }

/** What OpenAI and those that speak its protocol answer to `GET /models`. */
export const openAiModels = json({ object: 'list', data: [{ id: 'model-b' }, { id: 'model-a' }, { id: 'model-b' }] })

export async function startProvider(listener: RequestListener = openAiModels): Promise<TestProvider> {
  let current = listener
  const requests: TestProvider['requests'] = []
  const server = createServer((request, response) => {
    requests.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers })
    current(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
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
