/** Which of a customer's subscriptions counts, and what it gives. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planCodes } from '../../../shared/billing/plans.ts'
import {
  billingChanges,
  billingStateOf,
  type SubscriptionState,
  subscriptionStatuses,
} from '../../../shared/billing/projection.ts'

const subscription = (overrides: Partial<SubscriptionState> = {}): SubscriptionState => ({
  id: 'sub_1',
  status: 'active',
  plan: 'team',
  price: { id: 'price_1', lookup_key: 'octomil_team_monthly', unit_amount: 120_000, currency: 'usd' },
  interval: 'monthly',
  quantity: 1,
  current_period_start: '2026-01-01T00:00:00.000Z',
  current_period_end: '2026-02-01T00:00:00.000Z',
  cancel_at_period_end: false,
  cancel_at: null,
  canceled_at: null,
  ended_at: null,
  trial_start: null,
  trial_end: null,
  created_at: '2026-01-01T00:00:00.000Z',
  ...overrides,
})

const chosen = (...all: SubscriptionState[]) => billingStateOf(all).subscription?.id

describe('the subscription that counts', () => {
  test('is the live one, in a fixed order of statuses', () => {
    const order = [
      'active',
      'trialing',
      'past_due',
      'unpaid',
      'paused',
      'incomplete',
      'canceled',
      'incomplete_expired',
    ] as const
    expect(subscriptionStatuses).toEqual(order)
    for (const [index, status] of order.entries()) {
      const rest = order
        .slice(index)
        .map((each) =>
          subscription({ id: `sub_${each}`, status: each, created_at: `2026-01-0${9 - index}T00:00:00.000Z` }),
        )
      expect(chosen(...rest.toReversed())).toBe(`sub_${status}`)
    }
  })

  test('is the newest of those, and of those made in the same second the one whose id comes first', () => {
    const older = subscription({ id: 'sub_a', created_at: '2026-01-01T00:00:00.000Z' })
    const newer = subscription({ id: 'sub_b', created_at: '2026-01-01T00:00:01.000Z' })
    const twin = subscription({ id: 'sub_c', created_at: '2026-01-01T00:00:01.000Z' })
    expect(chosen(older, newer)).toBe('sub_b')
    expect(chosen(older, twin, newer)).toBe('sub_b')
  })

  const anySubscription = fc
    .record({
      id: fc.constantFrom('sub_a', 'sub_b', 'sub_c', 'sub_d', 'sub_e', 'sub_f'),
      status: fc.constantFrom(...subscriptionStatuses),
      plan: fc.constantFrom(...planCodes, null),
      created_at: fc.constantFrom('2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'),
    })
    .map(subscription)
  const customers = fc.uniqueArray(anySubscription, { selector: ({ id }) => id, maxLength: 6 })

  test('is the same for any order of Stripe’s list', () => {
    fc.assert(
      fc.property(customers, fc.integer(), (all, turn) => {
        const state = billingStateOf(all)
        const turned = all.map(
          (_each, index) => all[(((index + turn) % all.length) + all.length) % all.length] as SubscriptionState,
        )
        expect(billingStateOf(turned)).toEqual(state)
        expect(billingStateOf(all.toReversed())).toEqual(state)
      }),
    )
  })

  test('is flagged when it is not the only live one, and gives a plan only where it says which', () => {
    fc.assert(
      fc.property(customers, (all) => {
        const live = all.filter(({ status }) => ['active', 'trialing', 'past_due', 'unpaid', 'paused'].includes(status))
        const { plan, subscription: counts, subscription_conflict, unknown_price } = billingStateOf(all)
        expect(subscription_conflict).toBe(live.length > 1)
        const gives = counts !== null && ['active', 'trialing', 'past_due'].includes(counts.status)
        const own = all.find(({ id }) => id === counts?.id)?.plan ?? null
        expect(plan).toBe(gives ? own : null)
        expect(unknown_price).toBe(gives && own === null)
      }),
    )
  })
})

describe('a change', () => {
  test('names exactly the changed fields', () => {
    const before = billingStateOf([subscription()])
    const after = billingStateOf([
      subscription({
        status: 'past_due',
        quantity: 4,
        price: { id: 'price_2', lookup_key: null, unit_amount: 1, currency: 'usd' },
      }),
    ])
    expect(billingChanges(before, after)).toEqual([
      { field: 'subscription.status', before: 'active', after: 'past_due' },
      { field: 'subscription.quantity', before: 1, after: 4 },
      { field: 'subscription.price.id', before: 'price_1', after: 'price_2' },
      { field: 'subscription.price.lookup_key', before: 'octomil_team_monthly', after: null },
      { field: 'subscription.price.unit_amount', before: 120_000, after: 1 },
    ])
  })

  test('from nothing to nothing is empty, and does not list fields that were never set', () => {
    expect(billingChanges(undefined, billingStateOf([]))).toEqual([])
    const first = billingChanges(undefined, billingStateOf([subscription()]))
    expect(first).toContainEqual({ field: 'plan', before: null, after: 'team' })
    expect(first.map(({ field }) => field)).not.toContain('subscription.cancel_at')
    for (const { before, after } of first) expect(before).not.toEqual(after)
  })
})
