/**
 * Stripe's client, and what becomes of its errors. The API version is the package's own: its types say what comes back.
 * The package is loaded by the first call: it is half of a cold start, and a request that is refused never needs it.
 */
import type Stripe from 'stripe'
import { ProblemError } from '../problem.ts'
import { environment } from '../runtime/environment.ts'
import { log } from '../runtime/log.ts'
import { renewedStripeSecrets, type StripeSecrets, stripeSecrets } from './secrets.ts'

/** A call that hangs is given up and tried twice more before a Lambda's 28 s are over. */
const timeoutMs = 8000
const maxNetworkRetries = 2

let connected: { secretKey: string; apiUrl: string; client: Promise<Stripe> } | undefined

/**
 * The client, made anew when the key has changed.
 *
 * @throws ProblemError `service_unavailable`, saying what to set, when there is no key
 */
export const stripe = async (): Promise<Stripe> => clientWith(await currentSecrets())

/** One that has no key yet may have been filled in since. */
async function currentSecrets(): Promise<StripeSecrets> {
  const reading = stripeSecrets()
  // The first call waits for Secrets Manager: time to load the package in. If that fails, so it does for who awaits it.
  loadPackage().catch(() => undefined)
  const secrets = await reading
  return secrets.secretKey === undefined ? renewedStripeSecrets() : secrets
}

const loadPackage = () => import('stripe')

function clientWith({ secretKey }: StripeSecrets): Promise<Stripe> {
  if (secretKey === undefined) throw notConfigured()
  const apiUrl = environment('stripeApiUrl') ?? ''
  if (connected?.secretKey !== secretKey || connected.apiUrl !== apiUrl) {
    connected = { secretKey, apiUrl, client: connect(secretKey, apiUrl) }
  }
  return connected.client
}

/** A client for one key. An empty `apiUrl` means Stripe itself. */
export async function connect(secretKey: string, apiUrl: string): Promise<Stripe> {
  const { default: Stripe } = await loadPackage()
  return new Stripe(secretKey, {
    apiVersion: Stripe.API_VERSION,
    timeout: timeoutMs,
    maxNetworkRetries,
    // It would write an id of the machine to the disk and send latencies along.
    telemetry: false,
    ...(apiUrl === '' ? {} : addressOf(new URL(apiUrl))),
  })
}

const addressOf = ({ protocol, hostname, port }: URL) => {
  const scheme = protocol === 'http:' ? 'http' : 'https'
  return { protocol: scheme, host: hostname, port: port || (scheme === 'http' ? '80' : '443') } as const
}

/**
 * Runs calls of Stripe. A key that Stripe refuses is read again once: it may have been rotated. What `calls` does not
 * catch itself becomes the answer that such a failure has.
 *
 * @throws ProblemError `upstream_error`, `service_unavailable`
 */
export async function callStripe<T>(calls: (stripe: Stripe) => Promise<T>): Promise<T> {
  const secrets = await currentSecrets()
  try {
    return await calls(await clientWith(secrets))
  } catch (error) {
    if (!isOfType(error, 'StripeAuthenticationError')) throw toProblem(error)
    const renewed = await renewedStripeSecrets()
    if (renewed.secretKey === secrets.secretKey) throw toProblem(error)
    return calls(await clientWith(renewed)).catch((again: unknown) => {
      throw toProblem(again)
    })
  }
}

/**
 * Stripe's errors are known by what all of them have, and told apart by their `type`, the name of their class, as Stripe's
 * reference does: asking for the classes themselves would load the package.
 */
const isStripeError = (error: unknown): error is Stripe.errors.StripeError =>
  error instanceof Error && 'type' in error && 'rawType' in error

const isOfType = (error: unknown, ...types: readonly `Stripe${string}Error`[]): boolean =>
  isStripeError(error) && (types as readonly string[]).includes(error.type)

/** Whether Stripe understood a request and will not have it, as when a session to expire is complete already. */
export const isRefusal = (error: unknown): error is Stripe.errors.StripeInvalidRequestError =>
  isOfType(error, 'StripeInvalidRequestError')

/** Whether Stripe says that what was asked for does not exist. */
export const isMissing = (error: unknown): boolean => isRefusal(error) && error.code === 'resource_missing'

/** What becomes of a failure of Stripe: the problem that callers are told. Other errors pass as they are. */
export function toProblem(error: unknown): unknown {
  if (!isStripeError(error)) return error
  const { type, code, statusCode, requestId } = error
  log.warn('Stripe failed', {
    stripe_error: type,
    stripe_code: code,
    stripe_status: statusCode,
    stripe_request_id: requestId,
    // What it says of a wrong request tells the operator what to mend.
    ...(isRefusal(error) ? { stripe_message: withoutSecrets(error.message) } : {}),
  })
  return problemOf(error)
}

const withoutSecrets = (text: string): string => text.replaceAll(/\b(sk|rk|whsec)_\w+/g, '$1_…')

/** Stripe's own message stays inside: it is for us and not for our callers. */
function problemOf(cause: Stripe.errors.StripeError): ProblemError {
  if (isOfType(cause, 'StripeAuthenticationError', 'StripePermissionError')) {
    const detail = `Stripe refuses the key of this deployment. Put one that may do this into ${placeOfKey()}.`
    return new ProblemError('service_unavailable', detail, { cause })
  }
  if (isOfType(cause, 'StripeConnectionError', 'StripeRateLimitError')) {
    const headers = { 'retry-after': '5' }
    return new ProblemError('service_unavailable', 'Stripe does not answer at the moment; try again.', {
      headers,
      cause,
    })
  }
  return new ProblemError('upstream_error', 'Stripe failed to do its part; try again.', { cause })
}

const notConfigured = () =>
  new ProblemError('service_unavailable', `Billing is not connected to Stripe yet. Put its key into ${placeOfKey()}.`)

const placeOfKey = (): string =>
  environment('stripeSecretArn')
    ? 'the field secret_key of the Secrets Manager secret that STRIPE_SECRET_ARN names'
    : 'STRIPE_SECRET_KEY'
