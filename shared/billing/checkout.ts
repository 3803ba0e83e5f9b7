/**
 * Checkout sessions of an org: at most one is open, and none while the org has a subscription. A lease per org guards
 * finding and creating one. Stripe's state decides, not ours.
 */
import type Stripe from 'stripe'
import { notFound, ProblemError } from '../problem.ts'
import { withLease } from '../storage/lease.ts'
import { isMissing, isRefusal } from '../stripe/client.ts'
import { orgPartition } from '../table/rows.ts'
import { type Binding, ensureCustomer } from './customer.ts'
import { type BillingPorts, realPorts } from './ports.ts'
import type { BillingInterval } from './projection.ts'
import { returnUrls } from './return-url.ts'
import { livePlanSubscription } from './subscriptions.ts'

export interface CheckoutWish {
  plan: 'team'
  interval: BillingInterval
  quantity: number
  successUrl: string
  cancelUrl: string
  /** The return URLs that the request names. A reused session must have the same ones. */
  asked: { success_url?: string | undefined; cancel_url?: string | undefined }
}

interface OpenCheckout {
  session: Stripe.Checkout.Session
  url: string
  reused: boolean
}

interface CheckoutRequest extends Pick<CheckoutWish, 'plan' | 'interval' | 'quantity'> {
  success_url?: string | undefined
  cancel_url?: string | undefined
}

/**
 * The purchase that a request asks for, with default return URLs.
 *
 * @throws ProblemError `invalid_input`
 */
export function wishOf({ plan, interval, quantity, success_url, cancel_url }: CheckoutRequest): CheckoutWish {
  const urls = returnUrls(
    { success_url, cancel_url },
    {
      success_url: '/settings/billing?checkout=success&session_id={CHECKOUT_SESSION_ID}',
      cancel_url: '/settings/billing?checkout=cancelled',
    },
  )
  const asked = { success_url, cancel_url }
  return { plan, interval, quantity, successUrl: urls.success_url, cancelUrl: urls.cancel_url, asked }
}

/** The view of a session. */
export const toCheckoutView = ({ session, url }: OpenCheckout, { plan, interval, quantity }: CheckoutWish) => ({
  session_id: session.id,
  url,
  expires_at: new Date(session.expires_at * 1000).toISOString(),
  plan,
  interval,
  quantity,
})

/** At least the lifetime of a function, so that no second one finds or creates a session meanwhile. */
const leaseMs = 30_000
const waitMs = 12_000

/** Runs `work` while no other checkout of the org is in progress. */
export const whileNoOtherCheckout = <T>(
  orgId: string,
  work: () => Promise<T>,
  { timing }: Pick<BillingPorts, 'timing'> = realPorts,
): Promise<T> =>
  withLease(
    { pk: orgPartition(orgId), sk: 'LOCK#CHECKOUT' },
    { ttlMs: leaseMs, waitMs, giveUp: () => Promise.reject(otherCheckout()) },
    timing,
    work,
  )

const otherCheckout = () =>
  new ProblemError('conflict', 'Another checkout of this organization is in progress. Retry.', {
    headers: { 'retry-after': '2' },
    retryable: true,
  })

/**
 * The session for the buyer: the open one for the same purchase, or a new one. Expires other open sessions.
 *
 * @throws ProblemError `conflict` when the org has a live subscription, `service_unavailable` when the price does not
 * exist
 */
export async function openCheckout(
  wish: CheckoutWish,
  binding: Binding,
  ports: BillingPorts = realPorts,
): Promise<OpenCheckout> {
  const { orgId, requestId, now } = binding.context
  const customerId = await ensureCustomer(binding, ports)
  return ports.callStripe(async (stripe) => {
    const [price, open] = await Promise.all([priceOf(stripe, wish), listOpen(stripe, customerId)])
    const same = open.find((session) => serves(session, wish, price, now))
    await Promise.all(open.filter((session) => session !== same).map(({ id }) => expire(stripe, id)))
    await refuseSecond(stripe, customerId, same)
    if (same) return opened(same, true)
    const params = sessionParams(wish, { orgId, customerId, price })
    const idempotencyKey = `octomil:checkout:${orgId}:${customerId}:${price.id}:${requestId}`
    return opened(await stripe.checkout.sessions.create(params, { idempotencyKey }), false)
  })
}

/** @throws ProblemError `service_unavailable`, naming the missing price */
async function priceOf(stripe: Stripe, { plan, interval }: CheckoutWish): Promise<Stripe.Price> {
  const lookupKey = `octomil_${plan}_${interval}`
  const { data } = await stripe.prices.list({ lookup_keys: [lookupKey], active: true, limit: 1 })
  const [price] = data
  if (price) return price
  const detail = `This plan is not for sale yet: Stripe has no active price with the lookup key ${lookupKey}. Create one.`
  throw new ProblemError('service_unavailable', detail, { retryable: false })
}

/** Ignores sessions that are not for subscriptions. */
async function listOpen(stripe: Stripe, customer: string): Promise<Stripe.Checkout.Session[]> {
  const { data } = await stripe.checkout.sessions.list({ customer, status: 'open', limit: 100 })
  return data.filter(({ mode }) => mode === 'subscription')
}

/** A session with less time left could expire while the buyer pays. */
const minLifeSeconds = 300

function serves(session: Stripe.Checkout.Session, wish: CheckoutWish, price: Stripe.Price, now: Date): boolean {
  const { metadata, expires_at } = session
  const { success_url = session.success_url, cancel_url = session.cancel_url } = wish.asked
  return (
    metadata?.price_id === price.id &&
    metadata.quantity === String(wish.quantity) &&
    expires_at > now.getTime() / 1000 + minLifeSeconds &&
    session.success_url === success_url &&
    session.cancel_url === cancel_url
  )
}

/** A just completed session cannot be expired. The following check of the subscriptions finds it. */
async function expire(stripe: Stripe, sessionId: string): Promise<void> {
  try {
    // No idempotency key: Stripe would replay a temporary 500 for a day.
    await stripe.checkout.sessions.expire(sessionId)
  } catch (error) {
    if (!isRefusal(error)) throw error
  }
}

async function refuseSecond(stripe: Stripe, customerId: string, open: Stripe.Checkout.Session | undefined) {
  const live = await livePlanSubscription(stripe, customerId)
  if (!live) return
  if (open) await expire(stripe, open.id)
  throw new ProblemError(
    'conflict',
    `This organization already has a subscription (${live.id}, ${live.status}). Change it in the billing portal.`,
  )
}

interface Purchase {
  orgId: string
  customerId: string
  price: Stripe.Price
}

function sessionParams(
  { plan, interval, quantity, successUrl, cancelUrl }: CheckoutWish,
  { orgId, customerId, price }: Purchase,
): Stripe.Checkout.SessionCreateParams {
  return {
    mode: 'subscription',
    customer: customerId,
    client_reference_id: orgId,
    line_items: [{ price: price.id, quantity }],
    metadata: { org_id: orgId, price_id: price.id, plan, interval, quantity: String(quantity) },
    subscription_data: { metadata: { org_id: orgId, octomil_plan: plan, octomil_price: price.id } },
    success_url: successUrl,
    cancel_url: cancelUrl,
  }
}

function opened(session: Stripe.Checkout.Session, reused: boolean): OpenCheckout {
  if (!session.url) throw new ProblemError('upstream_error', 'Stripe created a session without a page. Retry.')
  return { session, url: session.url, reused }
}

/**
 * A session of this org, as Stripe has it now.
 *
 * @throws ProblemError `not_found`
 */
export async function findCheckout(
  sessionId: string,
  { orgId, customerId }: { orgId: string; customerId: string | undefined },
  { callStripe }: Pick<BillingPorts, 'callStripe'> = realPorts,
): Promise<{ session: Stripe.Checkout.Session; customer: string }> {
  if (customerId === undefined || !/^cs_\w+$/.test(sessionId)) throw notFound()
  const session = await callStripe((stripe) =>
    stripe.checkout.sessions.retrieve(sessionId).catch((error: unknown) => {
      if (isMissing(error)) return undefined
      throw error
    }),
  )
  const isOurs =
    session !== undefined &&
    session.client_reference_id === orgId &&
    session.metadata?.org_id === orgId &&
    idOf(session.customer) === customerId
  if (!isOurs) throw notFound()
  return { session, customer: customerId }
}

const idOf = (customer: Stripe.Checkout.Session['customer']): string | undefined =>
  typeof customer === 'string' ? customer : customer?.id

/** Whether the session led to a subscription. A trial needs no payment. */
export const isPaid = ({ status, payment_status }: Stripe.Checkout.Session): boolean =>
  status === 'complete' && payment_status !== 'unpaid'
