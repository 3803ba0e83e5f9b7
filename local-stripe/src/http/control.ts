/** Controls for tests and people, which the real Stripe does not have: `/local/stripe/<control>`, with JSON. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as z from 'zod'
import { ApiError } from '../model/api-error.ts'
import { setCardsFail } from '../model/customers.ts'
import type { StripeEngine } from '../model/engine.ts'
import { type Faults, faultRequest } from './faults.ts'
import { readBody } from './read-body.ts'
import type { Webhooks } from './webhooks.ts'

const advanceHint =
  'days: a number above 0 and up to 3660, as in {"days":31}; or to: a date and time, as in {"to":"2030-01-31T12:00:00Z"}'
const advance = z.union(
  [z.strictObject({ days: z.number().positive().max(3660) }), z.strictObject({ to: z.iso.datetime({ offset: true }) })],
  { error: advanceHint },
)
const card = z.strictObject({ customer: z.string(), fails: z.boolean() })
const settings = z.strictObject({ after_retries: z.enum(['cancel', 'unpaid', 'past_due']) })
const webhookControl = z.strictObject({ paused: z.boolean() })
const resend = z.strictObject({ event: z.string() })

type Control = (given: unknown) => object | Promise<object>
type Controls = Record<string, Control>

/** A handler of the controls. It returns false for any other request, which it does not answer. */
export function createControl(engine: StripeEngine, webhooks: Webhooks, faults: Faults) {
  const controls = { ...controlsOfState(engine), ...controlsOfFaults(faults), ...controlsOfWebhooks(engine, webhooks) }
  return async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    const control = controls[`${request.method} ${new URL(request.url ?? '/', 'http://stripe.invalid').pathname}`]
    if (!control) return false
    const { status, body } = await perform(control, request)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    return true
  }
}

function controlsOfState(engine: StripeEngine): Controls {
  const { store } = engine
  const clock = () => ({ now: new Date(store.now() * 1000).toISOString() })
  return {
    'GET /local/stripe/clock': clock,
    'POST /local/stripe/advance': (given) => {
      const by = advance.parse(given)
      engine.advance('to' in by ? { to: Math.floor(Date.parse(by.to) / 1000) } : by)
      return clock()
    },
    'POST /local/stripe/card': (given) => {
      const { customer, fails } = card.parse(given)
      store.atomically(() => setCardsFail(store, customer, fails))
      return { customer, fails }
    },
    'POST /local/stripe/settings': (given) => {
      store.settings = { afterRetries: settings.parse(given).after_retries }
      store.onChange()
      return { after_retries: store.settings.afterRetries }
    },
  }
}

function controlsOfFaults(faults: Faults): Controls {
  return {
    'POST /local/stripe/faults': (given) => {
      const fault = faultRequest.parse(given)
      faults.plan({ ...fault })
      return fault
    },
    'DELETE /local/stripe/faults': () => {
      faults.clear()
      return {}
    },
  }
}

function controlsOfWebhooks({ store }: StripeEngine, webhooks: Webhooks): Controls {
  return {
    'GET /local/stripe/webhooks': async () => {
      await webhooks.idle()
      return { deliveries: webhooks.deliveries }
    },
    'POST /local/stripe/webhooks': (given) => {
      const { paused } = webhookControl.parse(given)
      if (paused) webhooks.pause()
      else webhooks.resume()
      return { paused }
    },
    'POST /local/stripe/resend': (given) => {
      const { event } = resend.parse(given)
      webhooks.send(store.need('event', event))
      return { event }
    },
  }
}

async function perform(control: Control, request: IncomingMessage): Promise<{ status: number; body: object }> {
  // A page of another origin can send a form to this port. For JSON, its browser asks this server first (CORS).
  const isJson = request.headers['content-type']?.startsWith('application/json') ?? false
  if (request.method === 'POST' && !isJson) return { status: 415, body: { error: 'send application/json' } }
  try {
    const text = await readBody(request)
    return { status: 200, body: await control(text === '' ? {} : JSON.parse(text)) }
  } catch (error) {
    if (error instanceof ApiError) return { status: error.status, body: { error: error.message } }
    if (error instanceof z.ZodError) return { status: 400, body: { error: z.prettifyError(error) } }
    if (error instanceof SyntaxError) return { status: 400, body: { error: 'this is not JSON' } }
    throw error
  }
}
