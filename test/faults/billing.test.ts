/** Billing when the table or Stripe fails at any one call: the next try makes whole what the last left half done. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { operations } from '../../functions/operations.ts'
import type { Operation } from '../../shared/http/operation.ts'
import { billingEvents, billingOf, billingRow, customersOf, pay, sessionsOf } from '../support/billing.ts'
import { callsDuring, interceptTable, type TableCall } from '../support/faults.ts'
import { expectWholeChain } from '../support/governance.ts'
import { eventFor, invokeEvent, type Response } from '../support/invoke.ts'
import { logLines } from '../support/logs.ts'
import { makeBusyOrg, type TestOrg } from '../support/orgs.ts'
import { expectWellFormedProblem } from '../support/problems.ts'
import { allRows, putRow } from '../support/rows.ts'
import { stripeCallsDuring, withStripeFault } from '../support/stripe.ts'

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

const awsFault = () =>
  Object.assign(new Error('a fault of the test'), { name: 'InternalServerError', $fault: 'server' })

/** Runs `run` while the call of the table with this number fails: before it is done, or after. */
function failing<T>(number: number, when: 'before' | 'after', run: () => Promise<T>): Promise<T> {
  let seen = 0
  return interceptTable(async (_call, send) => {
    if (seen++ !== number) return send()
    if (when === 'after') await send()
    throw awsFault()
  }, run)
}

/** Long enough for the leases of failed processes to expire. No test waits for real. */
const withoutLeases = async (calls: readonly TableCall[]): Promise<void> => {
  const locks = new Set(calls.flatMap(({ rows }) => rows).filter((row) => / LOCK#/.test(row)))
  for (const lock of locks) {
    const [pk = '', sk = ''] = lock.split(' ')
    await putRow({ pk, sk, owner: 'nobody', lease_until_ms: 0 })
  }
}

/** Fails each call of an operation in turn, each time for an organization of its own, and judges the try after it. */
async function failEachCall<Body extends Response['body']>(
  prepare: (org: TestOrg) => Promise<() => Promise<Response<Body>>>,
  judge: (org: TestOrg, again: Response<Body>) => Promise<void>,
): Promise<number> {
  const calls = await callsDuring(await prepare(await makeBusyOrg()))
  for (const when of ['before', 'after'] as const) {
    for (const number of calls.keys()) {
      const org = await makeBusyOrg()
      const run = await prepare(org)
      const made = await callsDuring(async () => {
        const failed = await failing(number, when, run)
        if (failed.status >= 400) expectWellFormedProblem(failed)
        expect(failed.text).not.toContain('a fault of the test')
      })
      await withoutLeases(made)
      await judge(org, await run())
      await expectWholeChain(org)
    }
  }
  return calls.length
}

describe('whichever call of the table fails', () => {
  test('a checkout that is tried again has one customer, one session, and one event of each', async () => {
    const tried = await failEachCall(
      async (org) => () => billingOf(org).checkout(),
      async (org, again) => {
        expect([200, 201], again.text).toContain(again.status)
        expect(await customersOf(org)).toHaveLength(1)
        expect((await sessionsOf(org)).filter(({ status }) => status === 'open')).toHaveLength(1)
        expect(await billingEvents(org)).toEqual({ customer_bound: 1, checkout_started: 1 })
      },
    )
    expect(tried).toBeGreaterThan(10)
  }, 120_000)

  test('a retried reconcile has the plan, with one event', async () => {
    const tried = await failEachCall(
      async (org) => {
        const { body } = await billingOf(org).checkout()
        await pay(body.session_id)
        return () => billingOf(org).reconcile(body.session_id)
      },
      async (org, again) => {
        expect(again.body.plan?.code, again.text).toBe('team')
        expect(await billingRow(org)).toMatchObject({ projection: { plan: 'team' } })
        expect(await billingEvents(org)).toMatchObject({ subscription_synced: 1 })
      },
    )
    expect(tried).toBeGreaterThan(8)
  }, 120_000)

  test('a list of invoices that is tried again has the invoices', async () => {
    await failEachCall(
      async (org) => {
        await billingOf(org).subscribe()
        return () => billingOf(org).invoices()
      },
      async (_org, again) => expect(again.body.data, again.text).toHaveLength(1),
    )
  }, 120_000)
})

test('whichever call of Stripe is lost for good, a checkout that is tried again makes nothing twice', async () => {
  const calls = await stripeCallsDuring(async () => billingOf(await makeBusyOrg()).checkout())
  expect(calls).toContain('POST /v1/customers')
  for (const call of new Set(calls)) {
    const org = await makeBusyOrg()
    const [method = '', path = ''] = call.split(' ')
    const generic = path.replace(/cus_\w+$/, '')
    const fault = { kind: 'lost_answer', method: method as 'GET' | 'POST', path: generic, count: 3 } as const
    const failed = await withStripeFault(fault, () => billingOf(org).checkout())
    // Naming the customer is not what a checkout stands or falls with.
    if (failed.status >= 400) expectWellFormedProblem(failed)
    const again = await billingOf(org).checkout()
    expect([200, 201], `${call}: ${again.text}`).toContain(again.status)
    expect(await customersOf(org), call).toHaveLength(1)
    expect(
      (await sessionsOf(org)).filter(({ status }) => status === 'open'),
      call,
    ).toHaveLength(1)
    expect(await billingEvents(org), call).toEqual({ customer_bound: 1, checkout_started: 1 })
  }
}, 120_000)

describe('a function whose time is short', () => {
  test.each(['billing/create-checkout', 'billing/list-invoices'] as const)(
    '%s answers in time while Stripe hangs',
    async (name) => {
      const org = await makeBusyOrg()
      await billingOf(org).subscribe()
      const operation = operations[name] as unknown as Operation
      const body = name === 'billing/create-checkout' ? { body: { plan: 'team', interval: 'monthly' } } : {}
      const endsAt = Date.now() + 3000
      const response = await withStripeFault({ kind: 'timeout' }, () =>
        invokeEvent(name, eventFor(operation, { token: org.adminKey, ...body }), {
          getRemainingTimeInMillis: () => endsAt - Date.now(),
        }),
      )
      expect(Date.now()).toBeLessThan(endsAt)
      expect([503, 504]).toContain(response.status)
      expectWellFormedProblem(response)
    },
  )
})

describe('Stripe’s secrets', () => {
  const key = 'sk_test_canary51H8xQ2eZvKYlo2C'
  const webhookSecret = 'whsec_canary8Jk2Lm4Np6Qr'
  const answers: Response[] = []
  let org: TestOrg
  beforeEach(async () => {
    vi.stubEnv('STRIPE_SECRET_KEY', key)
    vi.stubEnv('STRIPE_WEBHOOK_SECRET', webhookSecret)
    org = await makeBusyOrg()
  })

  test('are in no answer, log line, event or row, after any fault', async () => {
    const billing = billingOf(org)
    const all = async () => {
      const started = await billing.checkout()
      answers.push(
        started,
        await billing.portal(),
        await billing.invoices(),
        await billing.support(),
        await billing.get(),
      )
      answers.push(await billing.reconcile(started.body.session_id ?? 'cs_test_none'))
      answers.push(await billing.override({ plan: 'team', reason: 'a canary' }))
      return started
    }
    const started = await all()
    await pay(started.body.session_id)
    answers.push(await billing.reconcile(started.body.session_id))
    for (const kind of ['error', 'rate_limit', 'reset'] as const) await withStripeFault({ kind }, all)
    for (const status of [400, 401, 403, 404, 409]) await withStripeFault({ kind: 'error', status }, all)
    await interceptTable((call, send) => {
      if (call.command === 'TransactWriteItemsCommand') throw new Error('a fault of the test')
      return send()
    }, all)
    vi.stubEnv('STRIPE_SECRET_KEY', 'sk_test_canary-that-is-wrong')
    await all()
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 201, 404, 409, 500, 502, 503]))
    const texts = [
      ...answers.flatMap(({ text, headers }) => [text, JSON.stringify(headers)]),
      ...logLines,
      ...(await allRows()).map((row) => JSON.stringify(row)),
    ]
    for (const text of texts) expect(text).not.toMatch(/canary(51H8|8Jk2|-that)/)
  }, 120_000)
})
