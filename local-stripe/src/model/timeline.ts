/** Work that becomes due over time: renewals, retries, ends of trials, cancellations, expired sessions. */
import {
  advanceInvoice,
  changeSubscription,
  collectInvoice,
  endSubscription,
  endTrial,
  expireIncomplete,
  incompleteSeconds,
  renewSubscription,
} from './billing-cycle.ts'
import { daySeconds } from './calendar.ts'
import { expireSession } from './checkout.ts'
import type { Invoice, Subscription } from './objects.ts'
import type { Store } from './store.ts'
import { hasEnded, periodOf } from './subscription-object.ts'

interface Due {
  at: number
  run: () => void
}

/** Days between the warning and the end of a trial. */
const trialWarningDays = 3

/** Stripe's retention of events, in days. */
const eventDays = 30

/** A century of daily renewals takes fewer steps; more mean a bug. */
const maxSteps = 200_000

/** Runs all due work in order, each step at its due time. */
export function catchUp(store: Store): void {
  const now = store.now()
  for (let step = 0; step < maxSteps; step += 1) {
    const next = nextDue(store)
    if (!next || next.at > now) {
      store.forgetEvents(now - eventDays * daySeconds)
      return
    }
    store.at(next.at, () => store.atomically(next.run))
  }
  throw new Error('the local Stripe has too many due steps; this is a bug')
}

function nextDue(store: Store): Due | undefined {
  let first: Due | undefined
  const consider = (due: Due | undefined): void => {
    if (due && (!first || due.at < first.at)) first = due
  }
  // For equal due times the order below decides: an end comes before a renewal.
  for (const subscription of store.all('subscription')) {
    consider(endOf(store, subscription))
    consider(warningOf(store, subscription))
    consider(resumptionOf(store, subscription))
    consider(turnOf(store, subscription))
  }
  for (const invoice of store.all('invoice')) consider(stepOf(store, invoice))
  for (const { id, status, expires_at } of store.all('checkout.session')) {
    if (status === 'open') consider({ at: expires_at, run: () => expireSession(store, id) })
  }
  return first
}

function endOf(store: Store, { id, status, cancel_at, created }: Subscription): Due | undefined {
  if (hasEnded(status)) return
  if (status === 'incomplete') return { at: created + incompleteSeconds, run: () => expireIncomplete(store, id) }
  if (cancel_at === null) return
  return { at: cancel_at, run: () => endSubscription(store, id, 'cancellation_requested') }
}

function warningOf(store: Store, subscription: Subscription): Due | undefined {
  const { id, status, trial_end, start_date } = subscription
  if (status !== 'trialing' || trial_end === null || store.get('trial_warning', `${id}:${trial_end}`)) return
  const run = () => {
    store.put('trial_warning', { id: `${id}:${trial_end}` })
    store.emit('customer.subscription.trial_will_end', store.need('subscription', id))
  }
  return { at: Math.max(start_date, trial_end - trialWarningDays * daySeconds), run }
}

function resumptionOf(store: Store, { id, status, pause_collection }: Subscription): Due | undefined {
  const at = pause_collection?.resumes_at ?? null
  if (at === null || hasEnded(status)) return
  return { at, run: () => changeSubscription(store, id, { pause_collection: null }) }
}

function turnOf(store: Store, subscription: Subscription): Due | undefined {
  const { id, status } = subscription
  const { end } = periodOf(subscription)
  if (status === 'trialing') return { at: end, run: () => endTrial(store, id) }
  if (status === 'active' || status === 'past_due' || status === 'unpaid')
    return { at: end, run: () => renewSubscription(store, id) }
  return
}

function stepOf(store: Store, invoice: Invoice): Due | undefined {
  const { id, status, automatically_finalizes_at: finalizes, next_payment_attempt: retries, auto_advance } = invoice
  if (!auto_advance) return
  if (status === 'draft' && finalizes !== null) return { at: finalizes, run: () => advanceInvoice(store, id) }
  if (status !== 'open' || retries === null) return
  return { at: retries, run: () => collectInvoice(store, id) }
}
