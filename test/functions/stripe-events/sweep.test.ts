/** The sweep finds what events have not brought, and corrects it: lost events, customers whose time has come, the longest unasked. */
import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { backgroundFunctions } from '../../../functions/background.ts'
import { sweepShards } from '../../../shared/billing/customer-shards.ts'
import type { SyncRequest } from '../../../shared/billing/sync.ts'
import { ProblemError } from '../../../shared/problem.ts'
import type { EventPage, EventQuery } from '../../../shared/stripe-events/list-events.ts'
import { sweep } from '../../../shared/stripe-events/sweep.ts'
import type { SweepPorts } from '../../../shared/stripe-events/sweep-run.ts'
import { readSweepState } from '../../../shared/stripe-events/sweep-state.ts'
import { maxStale } from '../../../shared/stripe-events/walk-customers.ts'
import { usedActions } from '../../support/access.ts'
import { runFunction } from '../../support/background.ts'
import { billingOf, customersOf } from '../../support/billing.ts'
import { eventsOf, expectWholeChain } from '../../support/governance.ts'
import { logLines } from '../../support/logs.ts'
import { counts, metricsDuring } from '../../support/metrics.ts'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { allRows, deleteRow, hasRow, putRow, putRows, type StoredRow } from '../../support/rows.ts'
import { stripeCallsDuring, withStripeFault } from '../../support/stripe.ts'
import { stripeEvent } from '../../support/stripe-events.ts'
import { changeAtStripe, makeSubscriber } from '../../support/subscribers.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const name = 'stripe-events/sweep'
const runSweep = () => runFunction(name, {})

const isOfSweep = ({ pk }: StoredRow) => pk.startsWith('STRIPESWEEP')
beforeEach(async () => {
  for (const row of (await allRows()).filter(isOfSweep)) await deleteRow(row)
})
afterEach(() => {
  vi.useRealTimers()
})

/** From now on the time is what a test says; timers run as they do. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
}
const passTime = (ms: number) => vi.setSystemTime(Date.now() + ms)

const quantityOf = async (org: TestOrg): Promise<number> => (await billingOf(org).get()).body.subscription.quantity
const isDone = (id: string) => hasRow({ pk: `STRIPEEVENT#${id}`, sk: 'STRIPEEVENT' })

describe('lost events', () => {
  test('are found in Stripe’s list, and their changes are applied, with an audit event that names the fields', async () => {
    stopClock()
    const org = await makeSubscriber()
    await runSweep()
    const lost = await changeAtStripe(org, 5)
    passTime(6 * minuteMs)
    const metrics = await metricsDuring(runSweep)
    expect([await quantityOf(org), await isDone(lost)]).toEqual([5, true])
    expect(counts(metrics, 'BillingDriftCorrected')).toEqual([': 1'])
    expect(metrics.find(({ name: metric }) => metric === 'BillingDriftCorrected')?.line.fields).toEqual([
      'subscription.quantity',
    ])
    const lostCounted = metrics.filter(({ name: metric }) => metric === 'StripeEventsLost')
    expect(lostCounted.flatMap(({ line }) => line.event_ids)).toContain(lost)
    const [corrected] = await eventsOf(org, 'billing.drift_corrected')
    expect(corrected).toMatchObject({
      actor: { type: 'system', id: 'billing-sweep' },
      changes: [{ field: 'subscription.quantity', before: 1, after: 5 }],
    })
    await expectWholeChain(org)
  })

  test('are searched once: events marked done cause no further call', async () => {
    stopClock()
    const org = await makeSubscriber()
    await changeAtStripe(org, 5)
    passTime(6 * minuteMs)
    await runSweep()
    passTime(minuteMs)
    expect(await stripeCallsDuring(runSweep)).toEqual(['GET /v1/events'])
  })

  test('are not those that are still on their way', async () => {
    stopClock()
    const org = await makeSubscriber()
    passTime(10 * minuteMs)
    await runSweep()
    const fresh = await changeAtStripe(org, 5)
    passTime(4 * minuteMs)
    await runSweep()
    expect([await quantityOf(org), await isDone(fresh)]).toEqual([1, false])
  })

  test('of several kinds of one customer are one sync, and all are done', async () => {
    const { ports, synced } = fakePorts()
    const org = await makeSubscriber()
    const events = [1, 2, 3].map(() => stripeEvent({}, { customer: org.customer }))
    const foreign = stripeEvent()
    ports.listEvents = async () => ({ events: [...events, foreign, { id: 'no event' }], next: undefined })
    const summary = await sweep(aRun(), ports)
    expect(synced).toEqual([org.customer])
    expect(summary).toMatchObject({ eventsCompared: 4, eventsLost: 3, synced: 1 })
    for (const { id } of events) expect(await isDone(id)).toBe(true)
    expect(await isDone(foreign.id)).toBe(false)
  })

  test('are not marked done when their customer could not be synced', async () => {
    const { ports, failing } = fakePorts()
    const org = await makeSubscriber()
    failing.add(org.customer)
    const event = stripeEvent({}, { customer: org.customer })
    ports.listEvents = async () => ({ events: [event], next: undefined })
    await expect(sweep(aRun(), ports)).rejects.toThrow(/failed/)
    expect(await isDone(event.id)).toBe(false)
  })
})

describe('the comparison with Stripe’s list', () => {
  test('covers the time from 2 hours before the end of the last one to 5 minutes ago', async () => {
    stopClock()
    const { ports, queries } = fakePorts()
    const start = Math.floor(Date.now() / 1000)
    await sweep(aRun(), ports)
    passTime(3 * hourMs)
    await sweep(aRun(), ports)
    expect(queries).toEqual([
      { from: start - 7200, until: start - 300, limit: 100 },
      { from: start - 300 - 7200, until: start + 3 * 3600 - 300, limit: 100 },
    ])
  })

  test('that was interrupted continues at its page, and only then does the next one begin', async () => {
    stopClock()
    const { ports, queries } = fakePorts()
    const pages: Record<string, EventPage> = {
      '': { events: [], next: 'evt_1' },
      evt_1: { events: [], next: 'evt_2' },
      evt_2: { events: [], next: undefined },
    }
    let isBroken = true
    const list = ports.listEvents
    ports.listEvents = async (query) => {
      await list(query)
      if (query.after === 'evt_1' && isBroken) throw new Error('Stripe is down')
      return pages[query.after ?? ''] ?? { events: [], next: undefined }
    }
    await expect(sweep(aRun(), ports)).rejects.toThrow(/failed/)
    isBroken = false
    passTime(hourMs)
    await sweep(aRun(), ports)
    passTime(hourMs)
    await sweep(aRun(), ports)
    expect(queries.map(({ after }) => after)).toEqual([
      undefined,
      'evt_1',
      'evt_1',
      'evt_2',
      undefined,
      'evt_1',
      'evt_2',
    ])
    const [first, , again, , next] = queries
    expect([again?.from, again?.until]).toEqual([first?.from, first?.until])
    expect(next?.from).toBe((first?.until ?? 0) - 7200)
  })

  test('that was interrupted a day ago starts again, because its cursor may be invalid', async () => {
    stopClock()
    const { ports, queries } = fakePorts()
    const begun = { from: 1000, until: Math.floor(Date.now() / 1000) - 86_401, after: 'evt_gone' }
    await putRow({ pk: 'STRIPESWEEP', sk: 'STATE', sweep: { comparison: begun, position: { shard: 0 } } })
    await sweep(aRun(), ports)
    expect(queries).toEqual([{ from: 1000, until: Math.floor(Date.now() / 1000) - 300, limit: 100 }])
  })
})

describe('customers', () => {
  test('who have drifted without any event are found within the hour', async () => {
    stopClock()
    const org = await makeSubscriber()
    await changeAtStripe(org, 5)
    // Beyond what the comparison looks at.
    passTime(3 * hourMs)
    const metrics = await metricsDuring(runSweep)
    expect(await quantityOf(org)).toBe(5)
    expect(counts(metrics, 'StripeEventsLost')).toEqual([])
    expect(counts(metrics, 'BillingDriftCorrected')).toEqual([': 1'])
    expect((await eventsOf(org, 'billing.drift_corrected')).at(-1)?.changes).toEqual([
      { field: 'subscription.quantity', before: 1, after: 5 },
    ])
  })

  test('without drift have no event, and are marked as checked', async () => {
    stopClock()
    const org = await makeSubscriber()
    passTime(3 * hourMs)
    await runSweep()
    expect(await eventsOf(org, 'billing.drift_corrected')).toEqual([])
    const { body } = await billingOf(org).get()
    expect(body.projection).toMatchObject({ synced_at: new Date().toISOString(), source: 'sweep' })
    expect(await stripeCallsDuring(runSweep)).toEqual(['GET /v1/events'])
  })

  test('that were never checked are checked', async () => {
    const org = await makeBusyOrg()
    await billingOf(org).checkout()
    const [customer] = await customersOf(org)
    const { ports, synced } = fakePorts()
    await sweep(aRun(), ports)
    expect(synced).toEqual([customer?.id])
  })

  test('whose period, trial or cancellation is due are checked, even if checked recently', async () => {
    const [past, future] = [-minuteMs, hourMs].map((ms) => new Date(Date.now() + ms).toISOString())
    const asked = (subscription: object, syncedMinutesAgo = 5) => addCustomer(subscription, syncedMinutesAgo * minuteMs)
    const due = [
      await asked({ current_period_end: past }),
      await asked({ current_period_end: future, trial_end: past }),
      await asked({ current_period_end: future, cancel_at: past }),
      await asked({ status: 'past_due', current_period_end: past }),
    ]
    await asked({ current_period_end: future })
    await asked({ status: 'canceled', current_period_end: past })
    await asked({ status: 'incomplete_expired', current_period_end: past })
    // That was asked about since.
    await asked({ current_period_end: past }, 0)
    const { ports, synced } = fakePorts()
    await sweep(aRun(), ports)
    expect(synced.sort()).toEqual(due.sort())
  })

  test('whom an org is not bound to any more are passed over', async () => {
    const customer = await addCustomer({}, 5 * hourMs)
    const { pk = '', sk = '' } = billingRows.get(customer) ?? {}
    await putRow({ pk, sk, customer_id: 'cus_another' })
    const { ports, synced } = fakePorts()
    await sweep(aRun(), ports)
    expect(synced).toEqual([])
  })

  test(`beyond ${maxStale}, only those that were not asked about for the longest have their turn`, async () => {
    const count = maxStale + 40
    const customers = await addCustomers(
      Array.from({ length: count }, (_, age) => ({ ageMs: hourMs + age * minuteMs })),
    )
    const { ports, synced } = fakePorts()
    const summary = await sweep(aRun(), ports)
    expect(summary).toMatchObject({ customersSeen: count, synced: maxStale })
    expect(synced.sort()).toEqual(customers.slice(-maxStale).sort())
  })

  test('are all seen, each once, wherever the walk begins', async () => {
    const customers = await addCustomers(
      Array.from({ length: 220 }, () => ({ ageMs: minuteMs })),
      2,
    )
    await fc.assert(
      fc.asyncProperty(
        fc.nat(sweepShards - 1),
        fc.option(fc.constantFrom(...customers, 'cus_0', 'cus_~'), { nil: undefined }),
        async (shard, after) => {
          const position = { shard, ...(after ? { after } : {}) }
          await putRow({ pk: 'STRIPESWEEP', sk: 'STATE', sweep: { position } })
          const { ports } = fakePorts()
          expect((await sweep(aRun(), ports)).customersSeen).toBe(customers.length)
        },
      ),
      { numRuns: 15 },
    )
  })
})

describe('a run', () => {
  test('that reaches its time limit leaves the rest to the next run, which continues there', async () => {
    const customers = await addCustomers(
      Array.from({ length: 300 }, () => ({})),
      2,
    )
    const seen = new Set<string>()
    let runs = 0
    for (; seen.size < customers.length && runs < 20; runs++) {
      const { ports, synced, clock } = fakePorts()
      // Every sync takes a second of a run of 60.
      const sync = ports.sync
      ports.sync = (request) => {
        clock.aheadMs += 1000
        return sync(request)
      }
      await sweep(aRun(Date.now() + minuteMs), ports)
      expect(synced.length).toBeGreaterThan(0)
      expect(synced.length).toBeLessThanOrEqual(60)
      for (const customer of synced) {
        seen.add(customer)
        await markSynced(customer)
      }
      const { position } = await readSweepState()
      // Customers before the next run's start position were already checked.
      const behind = customers.filter((customer, index) => {
        const shard = index % 2
        return shard < position.shard || (shard === position.shard && customer <= (position.after ?? ''))
      })
      expect(behind.filter((customer) => !seen.has(customer))).toEqual([])
    }
    expect([...seen].sort()).toEqual(customers.sort())
    expect(runs).toBeGreaterThan(5)
  })

  test('does not stop at a customer that fails, and fails at the end, counted', async () => {
    const customers = await addCustomers(Array.from({ length: 12 }, () => ({})))
    const { ports, synced, failing } = fakePorts()
    failing.add(customers[3] ?? '').add(customers[7] ?? '')
    const metrics = await metricsDuring(() => expect(sweep(aRun(), ports)).rejects.toThrow('2 parts'))
    expect(synced).toHaveLength(10)
    expect(counts(metrics, 'SweepFailures')).toEqual([': 1', ': 1'])
  })

  test('leaves a customer to the process that holds its lease', async () => {
    const [busy] = await addCustomers([{}, {}])
    const { ports, synced, failing } = fakePorts()
    failing.add(busy ?? '')
    failing.error = new ProblemError('conflict', 'held')
    expect(await sweep(aRun(), ports)).toMatchObject({ failed: 0, synced: 1 })
    expect(synced).toHaveLength(1)
  })

  test('ends early when everything fails, instead of hammering, and does not stay at that place', async () => {
    const customers = await addCustomers(
      Array.from({ length: 120 }, () => ({})),
      1,
    )
    const { ports, failing } = fakePorts()
    for (const customer of customers) failing.add(customer)
    await expect(sweep(aRun(), ports)).rejects.toThrow(/failed/)
    expect(failing.attempts).toBeLessThan(20)
    const first = failing.tried.toSorted()[0] ?? ''
    failing.tried = []
    await expect(sweep(aRun(), ports)).rejects.toThrow(/failed/)
    expect(failing.tried).not.toContain(first)
  })

  test('with Stripe down fails and says so; the next one makes good', async () => {
    stopClock()
    const org = await makeSubscriber()
    await changeAtStripe(org, 5)
    passTime(hourMs)
    const logged = logLines.length
    await withStripeFault({ kind: 'error', status: 500 }, async () => {
      await expect(runSweep()).rejects.toThrow(/failed/)
    })
    expect(logLines.slice(logged).join('')).toContain('a background function failed')
    await runSweep()
    expect(await quantityOf(org)).toBe(5)
  })

  test('that is started by hand can sync customers that are not due yet', async () => {
    const org = await makeSubscriber()
    await runSweep()
    await changeAtStripe(org, 5)
    await runSweep()
    expect(await quantityOf(org)).toBe(1)
    await runFunction(name, { thorough: true })
    expect(await quantityOf(org)).toBe(5)
  })

  test('needs exactly the actions that its function declares', async () => {
    stopClock()
    const { id, access } = backgroundFunctions[name]
    const org = await makeSubscriber()
    usedActions.delete(id)
    await changeAtStripe(org, 2)
    passTime(hourMs)
    await runSweep()
    expect([...(usedActions.get(id) ?? [])].sort()).toEqual([...access.table].sort())
  })
})

/** A run with ten minutes of time, unless it ends otherwise. */
const aRun = (endMs = Date.now() + 10 * minuteMs) => ({ requestId: 'test', deadline: new Date(endMs) })

/** A Stripe that knows no events, syncs that are noted, and a clock that a test can move. */
function fakePorts() {
  const synced: string[] = []
  const queries: EventQuery[] = []
  const clock = { aheadMs: 0 }
  const failing = Object.assign(new Set<string>(), { attempts: 0, tried: [] as string[], error: new Error('no') })
  const ports: SweepPorts = {
    timing: { now: () => new Date(Date.now() + clock.aheadMs), sleep: async () => {}, random: () => 0.5 },
    sync: async ({ customerId }: SyncRequest) => {
      failing.attempts += 1
      failing.tried.push(customerId)
      if (failing.has(customerId)) throw failing.error
      synced.push(customerId)
      return { changed: false, changes: [], projection: undefined }
    },
    listEvents: async (query) => {
      queries.push(query)
      return { events: [], next: undefined }
    },
  }
  return { ports, synced, queries, clock, failing }
}

interface Wanted {
  /** How long ago it was asked about; never, without it. */
  ageMs?: number
  subscription?: object
}

const billingRows = new Map<string, StoredRow>()

/** Rows of customers over several shards. Stripe does not have them: these tests never call it. */
async function addCustomers(wanted: readonly Wanted[], shards = sweepShards): Promise<string[]> {
  const rows = wanted.map(({ ageMs, subscription }, index) => {
    const [customer, orgId] = [`cus_${randomUUID()}`, `org_${randomUUID()}`]
    const state = { plan: 'team', subscription: { status: 'active', ...noTurns, ...subscription } }
    const synced_at = new Date(Date.now() - (ageMs ?? 0)).toISOString()
    return {
      customer,
      index: { pk: `STRIPESWEEP#${index % shards}`, sk: customer, org_id: orgId },
      billing: {
        pk: `ORG#${orgId}`,
        sk: 'BILLING',
        customer_id: customer,
        ...(ageMs === undefined ? {} : { projection: { ...state, synced_at, sync_seq: 1 } }),
      },
    }
  })
  await putRows(rows.flatMap(({ index, billing }) => [index, billing]))
  for (const { customer, billing } of rows) billingRows.set(customer, billing)
  return rows.map(({ customer }) => customer)
}

const noTurns = { current_period_end: null, trial_end: null, cancel_at: null }

async function addCustomer(subscription: object, ageMs: number): Promise<string> {
  const [customer = ''] = await addCustomers([{ subscription, ageMs }])
  return customer
}

/** What a sync leaves behind. */
async function markSynced(customer: string): Promise<void> {
  const billing = billingRows.get(customer)
  if (billing) await putRow({ ...billing, projection: { subscription: null, synced_at: new Date().toISOString() } })
}
