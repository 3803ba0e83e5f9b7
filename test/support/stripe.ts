/**
 * The local Stripe of a test file: an account of its own that the service under test talks to over HTTP. It is made when
 * it is first asked for something, since most files never do.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Fault, LocalStripe } from '@octomil/local-stripe'
import { vi } from 'vitest'

let made: Promise<LocalStripe> | undefined
let url = ''

/** What the service has asked of Stripe, in order: `POST /v1/customers`. */
export const stripeCalls: string[] = []

/** Starts to listen, and sets the address in the service's environment. */
export async function startStripe(): Promise<Server> {
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  process.env.STRIPE_API_URL = url
  return server
}

/** Stops the account's timed changes. */
export async function stopStripe(): Promise<void> {
  await (await made)?.close()
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? '/'
  if (path.startsWith('/v1/')) {
    const call = `${request.method} ${path.split('?')[0]}`
    stripeCalls.push(call)
    await before(call)
  }
  await (await localStripe()).handle(request, response)
}

/** The account itself, for actions of buyers and for time travel. */
export function localStripe(): Promise<LocalStripe> {
  made ??= make()
  return made
}

async function make(): Promise<LocalStripe> {
  const { createStripe } = await import('@octomil/local-stripe')
  const stripe = createStripe({ url, webhookUrl: `${url}/nowhere` })
  stripe.webhooks.pause()
  return stripe
}

/** The calls that `run` makes. */
export async function stripeCallsDuring(run: () => Promise<unknown>): Promise<string[]> {
  const before = stripeCalls.length
  await run()
  return stripeCalls.slice(before)
}

type Happening = (call: string) => Promise<void>
const nothing: Happening = async () => {}
let before = nothing

/** Runs `run` while something happens at Stripe right before each call of the service. */
export async function withHappening<T>(happening: Happening, run: () => Promise<T>): Promise<T> {
  before = happening
  return run().finally(() => {
    before = nothing
  })
}

/**
 * Runs `run` while Stripe is as a fault has it. The client tries again as ever, but soon: how long it pauses is its own
 * affair, and would be most of the time of the tests.
 */
export async function withStripeFault<T>(
  fault: Partial<Fault> & Pick<Fault, 'kind'>,
  run: () => Promise<T>,
): Promise<T> {
  const control = (method: string, body?: object) =>
    fetch(`${url}/local/stripe/faults`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
  const planned = await control('POST', { count: 100_000, ...fault })
  if (!planned.ok) throw new Error(await planned.text())
  const { default: Stripe } = await import('stripe')
  const pause = vi.spyOn(Stripe.prototype, 'getInitialNetworkRetryDelay').mockReturnValue(0.01)
  try {
    return await run()
  } finally {
    pause.mockRestore()
    await control('DELETE')
  }
}
