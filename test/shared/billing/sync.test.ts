/** Syncs beside each other: one at a time while all is well, and never an older state over a newer when it is not. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { SubscriptionState } from '../../../shared/billing/projection.ts'
import { type SyncPorts, type SyncRequest, syncCustomer } from '../../../shared/billing/sync.ts'
import { ProblemError } from '../../../shared/problem.ts'
import { realTiming } from '../../../shared/runtime/timing.ts'
import { billingEvents, billingOf, billingRow, customersOf } from '../../support/billing.ts'
import { interceptTable } from '../../support/faults.ts'
import { eventsOf, expectWholeChain, trailEnd } from '../../support/governance.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { putRow, rowsOf } from '../../support/rows.ts'

let org: TestOrg
let customerId: string
beforeEach(async () => {
  org = await makeBusyOrg()
  await billingOf(org).checkout()
  customerId = (await customersOf(org))[0]?.id ?? ''
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** A subscription whose number of seats identifies a state. */
const seats = (quantity: number): SubscriptionState => ({
  id: 'sub_1',
  status: 'active',
  plan: 'team',
  price: null,
  interval: 'monthly',
  quantity,
  current_period_start: null,
  current_period_end: null,
  cancel_at_period_end: false,
  cancel_at: null,
  canceled_at: null,
  ended_at: null,
  trial_start: null,
  trial_end: null,
  created_at: '2026-01-01T00:00:00.000Z',
})

const reading = (read: () => Promise<SubscriptionState[]> | SubscriptionState[]): SyncPorts => ({
  timing: realTiming,
  readSubscriptions: async () => read(),
})

const sync = (ports: SyncPorts, request: Partial<SyncRequest> = {}) =>
  syncCustomer(
    {
      orgId: org.orgId,
      customerId,
      source: 'event',
      eventId: 'evt_1',
      context: { requestId: 'req' },
      deadline: new Date(Date.now() + 20_000),
      ...request,
    },
    ports,
  )

const lockRow = () => ({ pk: `ORG#${org.orgId}`, sk: `LOCK#STRIPE#${customerId}` })
const storedSeats = async () =>
  ((await billingRow(org))?.projection as { subscription?: { quantity: number } })?.subscription?.quantity

/** A promise that the test resolves. */
function gate() {
  const open = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  return {
    reached: reached.promise,
    open: open.resolve,
    pass: async <T>(value: T): Promise<T> => {
      reached.resolve()
      await open.promise
      return value
    },
  }
}

describe('the lease', () => {
  test('lets one sync of a customer read Stripe at a time', async () => {
    let running = 0
    let most = 0
    const ports = reading(async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 20))
      running--
      return [seats(1)]
    })
    await Promise.all(Array.from({ length: 8 }, () => sync(ports)))
    expect(most).toBe(1)
    expect(await billingEvents(org)).toMatchObject({ subscription_synced: 1 })
  })

  test('of a holder that died frees itself', async () => {
    await putRow({ ...lockRow(), owner: 'a dead one', lease_until_ms: Date.now() + 400 })
    const startedAt = performance.now()
    expect(await sync(reading(() => [seats(3)]))).toMatchObject({ changed: true })
    expect(performance.now() - startedAt).toBeGreaterThan(200)
    expect(await storedSeats()).toBe(3)
  })

  test('held for too long is 409 with Retry-After, and nothing was read or written', async () => {
    await putRow({ ...lockRow(), owner: 'a busy one', lease_until_ms: Date.now() + 60_000 })
    const sleep = vi.spyOn(realTiming, 'sleep').mockResolvedValue()
    const read = vi.fn(() => [seats(1)])
    const before = await billingRow(org)
    const refused = await sync(reading(read)).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ProblemError)
    expect(refused).toMatchObject({ code: 'conflict', details: { headers: { 'retry-after': '2' }, retryable: true } })
    expect(read).not.toHaveBeenCalled()
    expect(await billingRow(org)).toEqual(before)
    const waitedMs = sleep.mock.calls.reduce((sum, [ms]) => sum + ms, 0)
    expect(waitedMs).toBeGreaterThan(3000)
    expect(waitedMs).toBeLessThanOrEqual(6000)
  })

  test('is given back when the sync fails', async () => {
    await expect(sync(reading(() => Promise.reject(new Error('Stripe is away'))))).rejects.toThrow('Stripe is away')
    vi.spyOn(realTiming, 'sleep').mockRejectedValue(new Error('it waited'))
    expect(await sync(reading(() => [seats(1)]))).toMatchObject({ changed: true })
  })

  test('is the holder’s own: a late one does not give back the lease of the next', async () => {
    const slow = gate()
    const late = sync(reading(() => slow.pass([seats(1)])))
    await slow.reached
    await putRow({ ...lockRow(), owner: 'the next', lease_until_ms: Date.now() + 60_000 })
    slow.open()
    await late
    expect(await rowsOf(org.orgId, lockRow().sk)).toMatchObject([
      { owner: 'the next', lease_until_ms: expect.any(Number) },
    ])
    expect(Number((await rowsOf(org.orgId, lockRow().sk))[0]?.lease_until_ms)).toBeGreaterThan(Date.now())
  })
})

describe('the fence', () => {
  /** Takes the lease away, as time does. */
  const runOut = () => putRow({ ...lockRow(), owner: 'nobody', lease_until_ms: 0 })

  test('keeps a slow holder that wakes late from overwriting a newer projection', async () => {
    const slow = gate()
    const late = sync(reading(() => slow.pass([seats(1)])))
    await slow.reached
    await runOut()
    expect(await sync(reading(() => [seats(2)]))).toMatchObject({ changed: true })
    slow.open()
    expect(await late).toMatchObject({ changed: false, changes: [], projection: { subscription: { quantity: 2 } } })
    expect(await storedSeats()).toBe(2)
    expect(await billingEvents(org)).toMatchObject({ subscription_synced: 1 })
  })

  test('keeps it from it also when it wakes right before its write', async () => {
    const slow = gate()
    let isFirst = true
    const results = await interceptTable(
      async (call, send) => {
        const writes = call.command === 'TransactWriteItemsCommand' && call.rows.some((row) => row.endsWith(' BILLING'))
        if (writes && isFirst) {
          isFirst = false
          await slow.pass(undefined)
        }
        return send()
      },
      async () => {
        const late = sync(reading(() => [seats(1)]))
        await slow.reached
        await runOut()
        const next = await sync(reading(() => [seats(2)]))
        slow.open()
        return [await late, next]
      },
    )
    expect(results).toMatchObject([{ changed: false }, { changed: true }])
    expect(await storedSeats()).toBe(2)
    await expectWholeChain(org)
  })

  test('lets a slow holder write if no other holder has written since', async () => {
    const slow = gate()
    const late = sync(reading(() => slow.pass([seats(7)])))
    await slow.reached
    await runOut()
    slow.open()
    expect(await late).toMatchObject({ changed: true })
    expect(await storedSeats()).toBe(7)
  })

  test('uses numbers that never repeat, allocated before Stripe is read', async () => {
    const order: string[] = []
    await interceptTable(
      (call, send) => {
        if (call.rows.some((row) => row.endsWith(' BILLINGSEQ'))) order.push('number')
        return send()
      },
      () =>
        sync(
          reading(() => {
            order.push('read')
            return [seats(1)]
          }),
        ),
    )
    expect(order).toEqual(['number', 'read'])
    const first = (await billingRow(org))?.projection as { sync_seq: number }
    await sync(reading(() => [seats(2)]))
    expect((await billingRow(org))?.projection).toMatchObject({ sync_seq: first.sync_seq + 1 })
  })
})

describe('the written projection', () => {
  test('names its source: an event, or the sweep, which corrects', async () => {
    await sync(reading(() => [seats(1)]))
    await sync(
      reading(() => [seats(2)]),
      { source: 'sweep' },
    )
    const [synced] = await eventsOf(org, 'billing.subscription_synced')
    expect(synced).toMatchObject({ actor: { type: 'system', id: 'stripe' }, request_id: 'req' })
    const [corrected] = await eventsOf(org, 'billing.drift_corrected')
    expect(corrected).toMatchObject({
      actor: { type: 'system', id: 'billing-sweep' },
      changes: [{ field: 'subscription.quantity', before: 1, after: 2 }],
    })
    expect((await billingRow(org))?.projection).toMatchObject({ source: 'sweep', event_id: 'evt_1' })
  })

  test('is only when and why Stripe was read, when nothing has changed: no event', async () => {
    await sync(reading(() => [seats(1)]))
    const end = await trailEnd(org)
    const again = await sync(
      reading(() => [seats(1)]),
      { eventId: 'evt_2' },
    )
    expect(again).toMatchObject({ changed: false, changes: [], projection: { event_id: 'evt_2' } })
    expect((await billingRow(org))?.projection).toEqual(again.projection)
    expect(await trailEnd(org)).toBe(end)
  })

  test('is nothing at all for a customer that the org is not bound to', async () => {
    const before = await billingRow(org)
    const outcome = await sync(
      reading(() => [seats(1)]),
      { customerId: 'cus_another' },
    )
    expect(outcome).toEqual({ changed: false, changes: [], projection: undefined })
    expect(await billingRow(org)).toEqual(before)
  })

  test('is all or nothing when the table fails in the middle', async () => {
    const before = await billingRow(org)
    const end = await trailEnd(org)
    const failing = interceptTable(
      (call, send) => {
        if (call.command === 'TransactWriteItemsCommand') throw new Error('a fault of the test')
        return send()
      },
      () => sync(reading(() => [seats(1)])),
    )
    await expect(failing).rejects.toThrow('a fault of the test')
    expect([await billingRow(org), await trailEnd(org)]).toEqual([before, end])
    expect(await sync(reading(() => [seats(1)]))).toMatchObject({ changed: true })
  })
})
