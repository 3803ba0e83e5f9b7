/** Invoices: at most 90 seconds old, one call to Stripe for concurrent callers, and a copy when Stripe fails. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { realTiming } from '../../../shared/runtime/timing.ts'
import { atStripe, billingOf, customersOf, stripeStore } from '../../support/billing.ts'
import { interceptTable } from '../../support/faults.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { putRow, rowsOf } from '../../support/rows.ts'
import { stripeCallsDuring, withStripeFault } from '../../support/stripe.ts'

let org: TestOrg
let billing: ReturnType<typeof billingOf>
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  org = await makeBusyOrg()
  billing = billingOf(org)
  await billing.subscribe()
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const later = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000)
const invoiceCalls = async (run: () => Promise<unknown>) =>
  (await stripeCallsDuring(run)).filter((call) => call === 'GET /v1/invoices').length

/** More invoices of the same customer, each a day older than the one before. */
async function olderInvoices(count: number): Promise<void> {
  const store = await stripeStore()
  const [customer] = await customersOf(org)
  const invoice = store.all('invoice').find(({ customer: of }) => of === customer?.id)
  if (!invoice) throw new Error('there is no invoice')
  for (let index = 1; index <= count; index++) {
    store.put('invoice', { ...invoice, id: `${invoice.id}x${index}`, created: invoice.created - index * 86_400 })
  }
}

describe('the list', () => {
  test('has number, amounts, dates and links', async () => {
    const { status, body, headers } = await billing.invoices()
    expect(status).toBe(200)
    const [customer] = await customersOf(org)
    const [invoice] = (await atStripe('GET', '/v1/invoices', { customer: customer?.id })).data
    const instant = (epoch: number) => new Date(epoch * 1000).toISOString()
    expect(body).toEqual({
      data: [
        {
          id: invoice.id,
          number: invoice.number,
          status: 'paid',
          amount_due: 120_000,
          amount_paid: 120_000,
          amount_remaining: 0,
          currency: 'usd',
          created: instant(invoice.created),
          period_start: instant(invoice.period_start),
          period_end: instant(invoice.period_end),
          hosted_invoice_url: invoice.hosted_invoice_url,
          invoice_pdf: invoice.invoice_pdf,
        },
      ],
      next_cursor: null,
      cached_at: new Date().toISOString(),
      stale: false,
    })
    expect(headers.age).toBe('0')
  })

  test('has the newest 20, or the requested number, newest first, from one call', async () => {
    await olderInvoices(30)
    const calls = await invoiceCalls(async () => {
      const { body } = await billing.invoices()
      expect(body.data).toHaveLength(20)
      const created = body.data.map(({ created }: { created: string }) => created)
      expect(created).toEqual(created.toSorted().reverse())
      const three = await billing.invoices({ limit: '3' })
      expect(three.body.data).toEqual(body.data.slice(0, 3))
    })
    expect(calls).toBe(1)
  })

  test.each(['0', '21', '-1', 'x', '1.5', ''])('with a limit of %j is 400', async (limit) => {
    const response = await billing.invoices({ limit })
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual(['limit'])
  })

  test('of an organization without a customer is empty, without a call to Stripe', async () => {
    const newcomer = billingOf(await makeBusyOrg())
    const calls = await stripeCallsDuring(async () => {
      const { status, body } = await newcomer.invoices()
      expect([status, body]).toEqual([200, { data: [], next_cursor: null, cached_at: null, stale: false }])
    })
    expect(calls).toEqual([])
  })

  test('is separate for each organization, and readable with billing:read', async () => {
    const stranger = await makeBusyOrg()
    await billingOf(stranger).subscribe()
    const [mine, theirs] = [await billing.invoices(), await billingOf(stranger).invoices()]
    expect(mine.body.data[0].id).not.toBe(theirs.body.data[0].id)
    expect((await billing.invoices({}, { token: await tokenFor(org.orgId, 'member') })).body.data).toEqual(
      mine.body.data,
    )
    expectProblem(await billing.invoices({ org_id: org.orgId }, { token: stranger.adminKey }), 'forbidden')
  })
})

describe('the copy', () => {
  test('is good for 90 seconds and says how old it is', async () => {
    const first = await billing.invoices()
    await olderInvoices(1)
    later(89)
    const copy = await billing.invoices()
    expect([copy.body, copy.headers.age]).toEqual([first.body, '89'])
    later(1)
    const fresh = await billing.invoices()
    expect([fresh.body.data.length, fresh.headers.age, fresh.body.cached_at]).toEqual([
      2,
      '0',
      new Date().toISOString(),
    ])
  })

  test('is made by one call, however many ask at once', async () => {
    const calls = await invoiceCalls(async () => {
      const answers = await Promise.all(Array.from({ length: 100 }, () => billing.invoices()))
      expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
      expect(answers[0]?.body.data).toHaveLength(1)
    })
    expect(calls).toBe(1)
    later(91)
    expect(await invoiceCalls(() => Promise.all(Array.from({ length: 100 }, () => billing.invoices())))).toBe(1)
  })

  test('is in the shared table, with a time to live that covers a day of failures', async () => {
    await billing.invoices()
    const [row] = await rowsOf(org.orgId, 'CACHE#INVOICES#cus_')
    expect(Number(row?.expires_at_epoch)).toBeGreaterThan(Date.now() / 1000 + 86_400)
  })

  test('of a replaced customer is not shown', async () => {
    await billing.invoices()
    const [customer] = await customersOf(org)
    await atStripe('DELETE', `/v1/customers/${customer?.id}`)
    await billing.checkout()
    expect((await billing.invoices()).body.data).toEqual([])
  })

  test('is served past its time when who refreshes it does not come to an end, and refreshed once that one’s lease has run out', async () => {
    const good = await billing.invoices()
    const [kept] = await rowsOf(org.orgId, 'CACHE#')
    later(300)
    await putRow({
      pk: `ORG#${org.orgId}`,
      sk: `LOCK#${kept?.sk}`,
      owner: 'a dead one',
      lease_until_ms: Date.now() + 15_000,
    })
    const sleep = vi.spyOn(realTiming, 'sleep').mockResolvedValue()
    expect((await billing.invoices()).body).toEqual({ ...good.body, stale: true })
    expect(sleep.mock.calls.reduce((sum, [ms]) => sum + ms, 0)).toBeLessThanOrEqual(12_000)
    later(15)
    expect((await billing.invoices()).body.stale).toBe(false)
  })

  test('that cannot be kept is served all the same', async () => {
    const answer = await interceptTable(
      (call, send) => {
        if (call.command === 'UpdateItemCommand' && / CACHE#/.test(call.rows[0] ?? ''))
          throw new Error('a fault of the test')
        return send()
      },
      () => billing.invoices(),
    )
    expect([answer.status, answer.body.data.length]).toEqual([200, 1])
  })
})

describe('when Stripe fails', () => {
  test.each([
    ['500', { kind: 'error', status: 500 }],
    ['429', { kind: 'rate_limit' }],
    ['a broken connection', { kind: 'reset' }],
  ] as const)('with %s the last copy is served, and says so', async (_how, fault) => {
    const good = await billing.invoices()
    later(300)
    const stale = await withStripeFault(fault, () => billing.invoices())
    expect(stale.status, stale.text).toBe(200)
    expect(stale.body).toEqual({ ...good.body, stale: true })
    expect(Number(stale.headers.age)).toBeGreaterThanOrEqual(300)
  })

  test('and 100 concurrent requests arrive, Stripe gets fewer calls, and all get the last copy', async () => {
    await billing.invoices()
    later(300)
    const calls = await invoiceCalls(async () => {
      const answers = await withStripeFault({ kind: 'error' }, () =>
        Promise.all(Array.from({ length: 100 }, () => billing.invoices())),
      )
      expect(answers.map(({ status, body }) => [status, body.stale])).toEqual(Array(100).fill([200, true]))
    })
    // One caller, and its one retry.
    expect(calls).toBe(2)
  })

  test('and no copy exists, the answer is an error; a later request asks Stripe again', async () => {
    const failed = await withStripeFault({ kind: 'error' }, () => billing.invoices())
    expectProblem(failed, 'upstream_error')
    const calls = await invoiceCalls(async () => {
      const waiting = await billing.invoices()
      expectProblem(waiting, 'service_unavailable')
      expect(waiting.headers['retry-after']).toBe('3')
    })
    expect(calls).toBe(0)
    later(4)
    const { body } = await billing.invoices()
    expect([body.data.length, body.stale]).toEqual([1, false])
  })

  test('for long, the copy stays the last good one, and is fresh again once Stripe is back', async () => {
    const good = await billing.invoices()
    for (const seconds of [100, 3600, 86_400]) {
      later(seconds)
      const { body } = await withStripeFault({ kind: 'reset' }, () => billing.invoices())
      expect(body).toEqual({ ...good.body, stale: true })
    }
    later(4)
    expect((await billing.invoices()).body.stale).toBe(false)
  })
})
