/** An event on its way to one integration: the invocations of the router and of the sender, measured like a request. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { callOperation } from '../bench/call.ts'
import { makeEnterpriseOrg } from '../bench/fixture.ts'
import { sendDeliveries } from '../functions/integrations/contract.ts'
import { createSqs, deliveryDeadLettersUrl, deliveryQueueUrl } from '../local/sqs.ts'
import { eventPrefix } from '../shared/audit/event-rows.ts'
import { onDeliveries } from '../shared/delivery/receive.ts'
import { routeRecords } from '../shared/delivery/route.ts'
import { queryPage } from '../shared/table/query.ts'
import { orgPartition } from '../shared/table/rows.ts'
import { queuedAtOnce, routedAtOnce, sentAtOnce, waitMs } from './assumptions.ts'
import type { Sample } from './bill.ts'
import { meanUsage } from './measure.ts'

const warmUps = 2
const samples = { alone: 30, together: 4 }

export const deliveryNames = [
  ...(['route an event', `route ${routedAtOnce} events`] as const),
  ...(['send an event', `send ${sentAtOnce} events`] as const),
] as const

/** Usage of one invocation, by name: with one event, and with a full batch. */
export async function measureDelivery(): Promise<ReadonlyMap<(typeof deliveryNames)[number], Sample>> {
  const world = await startWorld()
  try {
    const alone = await routeAndSend(world, samples.alone, { routed: 1, sent: 1 })
    const together = await routeAndSend(world, samples.together, { routed: routedAtOnce, sent: sentAtOnce })
    return new Map([
      ['route an event', alone.route],
      [`route ${routedAtOnce} events`, together.route],
      ['send an event', alone.send],
      // The messages of a batch are sent at the same time, so it waits as long as one.
      [`send ${sentAtOnce} events`, { ...together.send, waitMs: alone.send.waitMs }],
    ])
  } finally {
    await world.stop()
  }
}

interface World {
  messages(): string[]
  /** The endpoint of the integration, and the bytes that it received. */
  url: string
  received(): number
  stop(): Promise<void>
}

async function routeAndSend(world: World, count: number, size: { routed: number; sent: number }) {
  const org = await makeEnterpriseOrg()
  const config = { url: `${world.url}/hook`, signing_secret: 'a-signing-secret-0123456789' }
  const webhook = { type: 'webhook', name: 'hook', event_types: ['api_key.created'], config }
  await callOperation('integrations/create', org, { body: webhook })
  const body = { name: 'Bench key', scopes: ['models:read'] }
  const events = (count + warmUps) * size.routed
  for (let event = 0; event < events; event++) await callOperation('api-keys/create', org, { body })
  const before = world.messages().length
  const batches = inGroups(await newestEvents(org.orgId, events), size.routed)
  const route = await meanOf(batches.map((records) => () => routeAll(records)))
  const messages = world.messages().slice(before)
  if (messages.length !== events) throw new Error(`${messages.length} of ${events} events were routed`)
  const receivedBefore = world.received()
  const sends = inGroups(messages, size.sent)
  const send = await meanOf(sends.map((bodies) => () => sendAll(bodies)))
  return {
    route: { ...route, queueRequests: size.routed, waitMs: routerWaitMs(size.routed) },
    // The event source mapping receives a batch and deletes it.
    send: {
      ...{ ...send, queueRequests: 2, waitMs: send.waitMs + waitMs.receiver },
      egressBytes: (world.received() - receivedBefore) / sends.length,
    },
  }
}

/** Reads events, integrations and plan, stores the receivers of all events at once, then deliveries in groups. */
const routerWaitMs = (events: number): number =>
  3 * waitMs.read + waitMs.write + Math.ceil(events / queuedAtOnce) * (waitMs.write + waitMs.queue)

async function meanOf(work: readonly (() => Promise<void>)[]): Promise<Sample> {
  for (const invoke of work.slice(0, warmUps)) await invoke()
  return meanUsage(work.slice(warmUps))
}

async function newestEvents(orgId: string, count: number) {
  const page = { partition: orgPartition(orgId), prefix: eventPrefix, limit: count, newestFirst: true }
  return (await queryPage({ ...page, after: undefined })).rows.map(({ pk, sk }) => ({
    dynamodb: { Keys: { pk: { S: pk }, sk: { S: sk } }, SequenceNumber: sk },
  }))
}

async function routeAll(records: Parameters<typeof routeRecords>[0]): Promise<void> {
  if ((await routeRecords(records)).length > 0) throw new Error('events were not routed')
}

const sender = onDeliveries(sendDeliveries)

async function sendAll(bodies: readonly string[]): Promise<void> {
  const Records = bodies.map((body, index) => ({ messageId: String(index), body }))
  const { batchItemFailures } = await sender({ Records }, { awsRequestId: 'cost' })
  if (batchItemFailures.length > 0) throw new Error('events were not sent')
}

const inGroups = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, group) => all.slice(group * size, (group + 1) * size))

/** A queue that hands out nothing itself, and an endpoint that takes everything. */
async function startWorld(): Promise<World> {
  const sqs = createSqs({ receive: async () => ({ batchItemFailures: [] }), pollEveryMs: 3_600_000, repeated: 0 })
  const queue = await serve((request, response) => void sqs.handle(request, response))
  let received = 0
  const endpoint = await serve((request, response) => {
    received += Buffer.byteLength(request.rawHeaders.join('  \r\n'))
    request.on('data', (chunk: Buffer) => (received += chunk.byteLength))
    request.on('end', () => response.writeHead(204).end())
  })
  process.env.AWS_ENDPOINT_URL_SQS = queue.url
  process.env.DELIVERY_QUEUE_URL = deliveryQueueUrl(queue.url)
  process.env.DELIVERY_DEAD_LETTERS_URL = deliveryDeadLettersUrl(queue.url)
  return {
    messages: () => sqs.messagesIn('deliveries'),
    url: endpoint.url,
    received: () => received,
    stop: async () => {
      await sqs.close()
      for (const { server } of [queue, endpoint]) server.closeAllConnections()
      for (const { server } of [queue, endpoint]) server.close()
    },
  }
}

async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}
