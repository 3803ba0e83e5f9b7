/**
 * Stripe's client and the mapping of its errors. The API version is that of the package, so its types match the
 * responses. The first call loads the package: it is half of a cold start, and refused requests never need it.
 */
import type Stripe from 'stripe'
import { ProblemError } from '../problem.ts'
import { environment } from '../runtime/environment.ts'
import { log } from '../runtime/log.ts'
import { renewedStripeSecrets, type StripeSecrets, stripeSecrets } from './secrets.ts'

/** A hanging call times out and is retried twice within a Lambda's 28 s. */
const timeoutMs = 8000
const maxNetworkRetries = 2

let connected: { secretKey: string; apiUrl: string; client: Promise<Stripe> } | undefined

/**
 * The client; a new one when the key has changed.
 *
 * @throws ProblemError `service_unavailable`, naming the missing setting, when there is no key
 */
export const stripe = async (): Promise<Stripe> => clientWith(await currentSecrets())

/** Reads again if there is no key: an operator may have set one since. */
async function currentSecrets(): Promise<StripeSecrets> {
  const reading = stripeSecrets()
  // Load the package while the first call waits for Secrets Manager. Ignore a failure here: the later `await` rejects
  // too.
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
    // Telemetry would write a machine id to disk and send latencies.
    telemetry: false,
    ...(apiUrl === '' ? {} : addressOf(new URL(apiUrl))),
  })
}

const addressOf = ({ protocol, hostname, port }: URL) => {
  const scheme = protocol === 'http:' ? 'http' : 'https'
  return { protocol: scheme, host: hostname, port: port || (scheme === 'http' ? '80' : '443') } as const
}

/**
 * Runs Stripe calls. If Stripe refuses the key, reads it again once: it may have been rotated. Maps errors that `calls`
 * does not catch to problems.
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
 * Recognizes Stripe's errors by their fields and distinguishes them by `type`, the name of their class. Importing the
 * classes would load the package.
 */
const isStripeError = (error: unknown): error is Stripe.errors.StripeError =>
  error instanceof Error && 'type' in error && 'rawType' in error

const isOfType = (error: unknown, ...types: readonly `Stripe${string}Error`[]): boolean =>
  isStripeError(error) && (types as readonly string[]).includes(error.type)

/** Whether Stripe refused a valid request, for example to expire a completed session. */
export const isRefusal = (error: unknown): error is Stripe.errors.StripeInvalidRequestError =>
  isOfType(error, 'StripeInvalidRequestError')

/** Whether Stripe reports that the resource does not exist. */
export const isMissing = (error: unknown): boolean => isRefusal(error) && error.code === 'resource_missing'

/** Maps an error of Stripe to the problem for the caller. Returns other errors unchanged. */
export function toProblem(error: unknown): unknown {
  if (!isStripeError(error)) return error
  const { type, code, statusCode, requestId } = error
  log.warn('Stripe returned an error', {
    stripe_error: type,
    stripe_code: code,
    stripe_status: statusCode,
    stripe_request_id: requestId,
    // The message about an invalid request helps the operator to fix it.
    ...(isRefusal(error) ? { stripe_message: withoutSecrets(error.message) } : {}),
  })
  return problemOf(error)
}

const withoutSecrets = (text: string): string => text.replaceAll(/\b(sk|rk|whsec)_\w+/g, '$1_…')

/** Hides Stripe's own message: it is for operators, not for callers. */
function problemOf(cause: Stripe.errors.StripeError): ProblemError {
  if (isOfType(cause, 'StripeAuthenticationError', 'StripePermissionError')) {
    const detail = `Stripe refuses the key of this deployment. Put a key with this permission into ${placeOfKey()}.`
    return new ProblemError('service_unavailable', detail, { cause })
  }
  if (isOfType(cause, 'StripeConnectionError', 'StripeRateLimitError')) {
    const headers = { 'retry-after': '5' }
    return new ProblemError('service_unavailable', 'Stripe does not answer. Retry later.', {
      headers,
      cause,
    })
  }
  return new ProblemError('upstream_error', 'Stripe returned an error. Retry later.', { cause })
}

const notConfigured = () =>
  new ProblemError('service_unavailable', `Billing is not connected to Stripe yet. Put its key into ${placeOfKey()}.`)

const placeOfKey = (): string =>
  environment('stripeSecretArn')
    ? 'the field secret_key of the Secrets Manager secret that STRIPE_SECRET_ARN names'
    : 'STRIPE_SECRET_KEY'
