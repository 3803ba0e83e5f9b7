/** Deliveries in tests: the local queue, the router and sender under the access of their contracts, and a receiver. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect } from 'vitest'
import { createSqs, type LocalSqs, type SqsRecord } from '../../local/sqs.ts'
import type { BatchResult } from '../../shared/runtime/table-stream.ts'
import { resultOf } from './background.ts'
import { invoke } from './invoke.ts'
import type { TestOrg } from './orgs.ts'
import { rowsOf } from './rows.ts'

export interface Hit {
  atMs: number
  headers: IncomingMessage['headers']
  body: string
}

export interface Receiver {
  url: string
  hits: Hit[]
  /** Replaces its behaviour from now on. */
  answer(how: (hit: Hit, response: ServerResponse) => void): void
  close(): void
}

/** A status, and the end of the answer. */
export const status =
  (code: number, headers: Record<string, string> = {}) =>
  (_hit: Hit, response: ServerResponse): void => {
    response.writeHead(code, headers).end()
  }

/** An HTTP server on loopback that records what it receives. */
export async function startReceiver(): Promise<Receiver> {
  const hits: Hit[] = []
  let current: Parameters<Receiver['answer']>[0] = status(204)
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const hit = { atMs: Date.now(), headers: request.headers, body: Buffer.concat(chunks).toString('utf8') }
    hits.push(hit)
    current(hit, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hits,
    answer: (how) => {
      current = how
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** The queue of this test file, with the sender behind it. */
export function useQueue(): { queue(): LocalSqs } {
  let sqs: LocalSqs | undefined
  let server: Server | undefined
  beforeAll(async () => {
    const own = createSqs({
      receive: async (Records: SqsRecord[]) =>
        (await resultOf('integrations/send', { Records }, 30_000)) as BatchResult,
      pollEveryMs: 10,
    })
    sqs = own
    server = createServer((request, response) => void own.handle(request, response))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    server.unref()
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    process.env.AWS_ENDPOINT_URL_SQS = url
    process.env.DELIVERY_QUEUE_URL = `${url}/local/sqs/deliveries`
    process.env.DELIVERY_DEAD_LETTERS_URL = `${url}/local/sqs/delivery-dead-letters`
  })
  afterAll(async () => {
    await sqs?.close()
    server?.closeAllConnections()
    server?.close()
  })
  return {
    queue: () => {
      if (!sqs) throw new Error('the queue has not started')
      return sqs
    },
  }
}

/** Routes all events of an org, as the stream would. */
export async function route({ orgId }: Pick<TestOrg, 'orgId'>): Promise<void> {
  const rows = await rowsOf(orgId, 'EVENT#')
  const Records = rows.map(({ pk, sk }) => ({
    dynamodb: { Keys: { pk: { S: pk }, sk: { S: sk } }, SequenceNumber: sk },
  }))
  expect(await resultOf('integrations/route', { Records })).toEqual({ batchItemFailures: [] })
}

/** Makes an event: a new key. */
export async function makeEvent({ adminKey }: TestOrg, name = 'event'): Promise<void> {
  await invoke('api-keys/create', { token: adminKey, body: { name, scopes: ['keys:read'] } })
}

/** The deliveries of an integration, newest first. */
export const deliveriesOf = async ({ adminKey: token }: TestOrg, id: string, query: Record<string, string> = {}) =>
  (await invoke('integrations/list-deliveries', { token, params: { integration_id: id }, query })).body.data
