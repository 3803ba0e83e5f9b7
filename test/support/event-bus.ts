/** The event bus of a test file, on loopback: it keeps the service's entries, and delivers them to the target that a test sets. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  createEventBridge,
  type Envelope,
  eventsPath,
  type LocalEventBridge,
  localBusName,
} from '../../local/eventbridge.ts'

/** Entries put on the bus, in order. */
export const busEvents: Envelope[] = []

type Target = (envelope: Envelope) => Promise<void>
let target: Target = async () => {}

export const eventBus: LocalEventBridge = createEventBridge({
  project: (envelope) => target(envelope),
  sweep: async () => {},
  retryAfterMs: [5, 10],
})

/** Starts to listen, and sets the address in the service's environment. */
export async function startEventBus(): Promise<Server> {
  const server = createServer((request, response) => void eventBus.handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  const { port } = server.address() as AddressInfo
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_EVENTBRIDGE: `http://127.0.0.1:${port}${eventsPath}`,
    EVENT_BUS_NAME: localBusName,
  })
  onBusEvent(async () => {})
  return server
}

/** Hands every event from now on to `next`. */
export function onBusEvent(next: Target): void {
  target = (envelope) => {
    busEvents.push(envelope)
    return next(envelope)
  }
}
