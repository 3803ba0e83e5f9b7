/** Starting a checkout: one customer, one open session, never a second subscription, and no redirect to a foreign host. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { realTiming } from '../../../shared/runtime/timing.ts'
import {
  atStripe,
  billingEvents,
  billingOf,
  billingRow,
  customersOf,
  dashboard,
  pay,
  sessionsOf,
  stripeStore,
  subscriptionsOf,
} from '../../support/billing.ts'
import { interceptTable } from '../../support/faults.ts'
import { eventsOf, expectWholeChain } from '../../support/governance.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { allRows, putRow, rowsOf } from '../../support/rows.ts'
import { stripeCallsDuring, withHappening, withStripeFault } from '../../support/stripe.ts'

let org: TestOrg
let billing: ReturnType<typeof billingOf>
beforeEach(async () => {
  org = await makeBusyOrg()
  billing = billingOf(org)
})
afterEach(() => {
  vi.restoreAllMocks()
})

const openSessions = async () => (await sessionsOf(org)).filter(({ status }) => status === 'open')

describe('a first checkout', () => {
  test('answers the session, where it is, and until when', async () => {
    const started = await billing.checkout({ interval: 'annual', quantity: 3 })
    expect(started.status, started.text).toBe(201)
    const [session] = await sessionsOf(org)
    expect(started.body).toEqual({
      session_id: session?.id,
      url: session?.url,
      expires_at: new Date((session?.expires_at ?? 0) * 1000).toISOString(),
      plan: 'team',
      interval: 'annual',
      quantity: 3,
    })
    expect(started.headers).toMatchObject({ location: session?.url, etag: expect.stringMatching(/^"/) })
  })

  test('creates a session with the org’s id, which its subscription gets too', async () => {
    const { body } = await billing.checkout({ quantity: 2 })
    const [customer] = await customersOf(org)
    expect(await atStripe('GET', `/v1/checkout/sessions/${body.session_id}`)).toMatchObject({
      mode: 'subscription',
      customer: customer?.id,
      client_reference_id: org.orgId,
      metadata: { org_id: org.orgId, plan: 'team', interval: 'monthly', quantity: '2' },
      success_url: `${dashboard}/settings/billing?checkout=success&session_id={CHECKOUT_SESSION_ID}`,
      cancel_url: `${dashboard}/settings/billing?checkout=cancelled`,
    })
    const items = await atStripe('GET', `/v1/checkout/sessions/${body.session_id}/line_items`)
    expect(items.data).toMatchObject([{ quantity: 2, price: { lookup_key: 'octomil_team_monthly' } }])
    await pay(body.session_id)
    expect(await subscriptionsOf(org)).toMatchObject([{ customer: customer?.id, status: 'active' }])
  })

  test('makes the customer, names it, and binds it for events and the sweep to find', async () => {
    await billing.checkout()
    const [customer] = await customersOf(org)
    expect(customer).toMatchObject({
      metadata: { org_id: org.orgId },
      email: 'owner@example.com',
      name: expect.any(String),
    })
    const id = customer?.id ?? ''
    expect(await billingRow(org)).toMatchObject({ customer_id: id })
    const rows = (await allRows()).filter(({ pk, sk }) => pk.includes(id) || sk === id)
    expect(rows).toHaveLength(2)
    expect(rows).toContainEqual({ pk: `STRIPECUSTOMER#${id}`, sk: 'STRIPECUSTOMER', org_id: org.orgId })
    const shard = expect.stringMatching(/^STRIPESWEEP#([0-9]|1[0-5])$/)
    expect(rows).toContainEqual({ pk: shard, sk: id, org_id: org.orgId })
  })

  test('leaves events: the customer’s binding and the checkout, with their actors, but never the payment URL', async () => {
    const { body } = await billing.checkout()
    const [bound] = await eventsOf(org, 'billing.customer_bound')
    const [customer] = await customersOf(org)
    expect(bound?.changes).toEqual([{ field: 'customer_id', before: null, after: customer?.id }])
    const [started] = await eventsOf(org, 'billing.checkout_started')
    expect(started).toMatchObject({ actor: { type: 'api_key' }, resource: { type: 'billing', id: org.orgId } })
    expect(started?.changes).toContainEqual({ field: 'checkout.session_id', after: body.session_id })
    expect(JSON.stringify(started)).not.toContain(body.url)
    await expectWholeChain(org)
  })
})

describe('a checkout while another is open', () => {
  test('for the same purchase is the same session, with 200 and without an event', async () => {
    const first = await billing.checkout()
    const second = await billing.checkout()
    expect([second.status, second.body]).toEqual([200, first.body])
    expect(await billingEvents(org)).toEqual({ customer_bound: 1, checkout_started: 1 })
  })

  test.each([
    ['interval', { interval: 'annual' }],
    ['quantity', { quantity: 2 }],
    ['way back', { success_url: `${dashboard}/welcome` }],
    ['way out', { cancel_url: 'https://console.example.com/' }],
  ])('for another %s takes its place', async (_what, other) => {
    const first = await billing.checkout()
    const second = await billing.checkout(other)
    expect(second.status, second.text).toBe(201)
    expect((await openSessions()).map(({ id }) => id)).toEqual([second.body.session_id])
    expect(await atStripe('GET', `/v1/checkout/sessions/${first.body.session_id}`)).toMatchObject({ status: 'expired' })
    expect(await customersOf(org)).toHaveLength(1)
  })

  test('is not handed out when it is about to run out', async () => {
    const { body } = await billing.checkout()
    const store = await stripeStore()
    store.change('checkout.session', body.session_id, { expires_at: store.now() + 200 })
    const second = await billing.checkout()
    expect(second.status).toBe(201)
    expect((await openSessions()).map(({ id }) => id)).toEqual([second.body.session_id])
  })

  test('leaves sessions of other kinds alone', async () => {
    await billing.checkout()
    const [customer] = await customersOf(org)
    const store = await stripeStore()
    const [session] = await openSessions()
    if (!session) throw new Error('there is no session')
    store.put('checkout.session', { ...session, id: 'cs_test_setup', mode: 'setup', customer: customer?.id ?? '' })
    await billing.checkout({ quantity: 5 })
    expect(store.get('checkout.session', 'cs_test_setup')?.status).toBe('open')
  })
})

describe('an organization that has a subscription', () => {
  test('gets a conflict, even before the first event arrives, and its open sessions expire', async () => {
    const { body } = await billing.checkout()
    await pay(body.session_id)
    expect((await billing.get()).body.plan_source).toBe('default')
    const refused = await billing.checkout()
    expectProblem(refused, 'conflict')
    expect(refused.body.detail).toMatch(/sub_\w+, active\). Change it in the billing portal/)
    expect(await openSessions()).toEqual([])
    expect(await subscriptionsOf(org)).toHaveLength(1)
  })

  test.each(['trialing', 'past_due', 'unpaid', 'paused'] as const)('is refused while it is %s', async (status) => {
    await billing.subscribe()
    const store = await stripeStore()
    for (const { id } of await subscriptionsOf(org)) store.change('subscription', id, { status })
    expectProblem(await billing.checkout(), 'conflict')
    expect(await openSessions()).toEqual([])
  })

  test.each(['canceled', 'incomplete_expired', 'incomplete'] as const)(
    'can buy again once it is %s',
    async (status) => {
      await billing.subscribe()
      const store = await stripeStore()
      for (const { id } of await subscriptionsOf(org)) store.change('subscription', id, { status })
      expect((await billing.checkout()).status).toBe(201)
      expect(await customersOf(org)).toHaveLength(1)
    },
  )

  test('is refused also when the open session is paid at the last moment before it is expired', async () => {
    const { body } = await billing.checkout()
    const expiry = `POST /v1/checkout/sessions/${body.session_id}/expire`
    const refused = await withHappening(
      async (call) => (call === expiry ? pay(body.session_id) : undefined),
      () => billing.checkout({ quantity: 2 }),
    )
    expectProblem(refused, 'conflict')
    expect((await sessionsOf(org)).map(({ status }) => status)).toEqual(['complete'])
    expect(await subscriptionsOf(org)).toHaveLength(1)
  })
})

describe('checkouts at once', () => {
  test('of 50 for the same purchase: one customer, one session, one event of each', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => billing.checkout()))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 201)).toHaveLength(1)
    for (const answer of answers.filter(({ status }) => status === 409)) {
      expectProblem(answer, 'conflict')
      expect(answer.headers['retry-after']).toMatch(/^\d+$/)
    }
    const ids = new Set(answers.filter(({ status }) => status < 300).map(({ body }) => body.session_id))
    expect(ids.size).toBe(1)
    expect(await customersOf(org)).toHaveLength(1)
    expect(await openSessions()).toHaveLength(1)
    expect(await billingEvents(org)).toEqual({ customer_bound: 1, checkout_started: 1 })
    await expectWholeChain(org)
  }, 60_000)

  test('for different purchases leave one session open', async () => {
    const wishes = [{ interval: 'monthly' }, { interval: 'annual' }, { quantity: 2 }, { quantity: 3 }]
    await Promise.all(wishes.map((wish) => billing.checkout(wish)))
    expect(await openSessions()).toHaveLength(1)
    expect(await customersOf(org)).toHaveLength(1)
  })

  test('of several organizations have nothing to do with each other', async () => {
    const other = await makeBusyOrg()
    const [mine, theirs] = await Promise.all([billing.checkout(), billingOf(other).checkout()])
    expect([mine.status, theirs.status]).toEqual([201, 201])
    expect(mine.body.session_id).not.toBe(theirs.body.session_id)
    expect((await customersOf(org))[0]?.id).not.toBe((await customersOf(other))[0]?.id)
  })

  test('are not stopped for ever by one that died', async () => {
    const lease = { pk: `ORG#${org.orgId}`, sk: 'LOCK#CHECKOUT', owner: 'somebody' }
    await putRow({ ...lease, lease_until_ms: Date.now() + 60_000 })
    vi.spyOn(realTiming, 'sleep').mockResolvedValue()
    const waited = await billing.checkout()
    expectProblem(waited, 'conflict')
    expect([waited.headers['retry-after'], waited.body.retryable]).toEqual(['2', true])
    expect(await customersOf(org)).toEqual([])
    await putRow({ ...lease, lease_until_ms: Date.now() - 1 })
    expect((await billing.checkout()).status).toBe(201)
  })
})

describe('return addresses', () => {
  test.each([
    [{ success_url: `${dashboard}/a?b={CHECKOUT_SESSION_ID}#c` }],
    [{ cancel_url: 'https://console.example.com' }],
    [{ success_url: 'HTTPS://Dashboard.Example.com:443/x' }],
  ])('of a configured dashboard reach Stripe as they were given: %j', async (urls) => {
    const { status, body, text } = await billing.checkout(urls)
    expect(status, text).toBe(201)
    expect(await atStripe('GET', `/v1/checkout/sessions/${body.session_id}`)).toMatchObject(urls)
  })

  const elsewhere = [
    'https://evil.example/',
    'http://dashboard.example.com/',
    'https://dashboard.example.com:8443/',
    'https://dashboard.example.com.evil.example/',
    'https://dashboard.example.com@evil.example/',
    'https://user:pass@dashboard.example.com/',
    'https://dashboard.example.com\\@evil.example/',
    'https:\\\\dashboard.example.com/',
    ' https://dashboard.example.com/',
    'https://dashboard.example.com/\n',
    '//dashboard.example.com/',
    '/settings/billing',
    'javascript:alert(1)//https://dashboard.example.com',
    'data:text/html,x',
    'null',
    'https://',
  ]
  test.each(elsewhere)('that lead elsewhere are 400, and nothing is made: %j', async (url) => {
    const calls = await stripeCallsDuring(async () => {
      const response = await billing.checkout({ success_url: url, cancel_url: url })
      expectProblem(response, 'invalid_input')
      expect(faultPaths(response)).toEqual(['success_url', 'cancel_url'])
      expect(response.body.errors[0]).toMatchObject({
        code: 'origin_not_allowed',
        message: expect.stringContaining(dashboard),
      })
    })
    expect(calls).toEqual([])
  })

  test('without any dashboard are required: a 503 names the missing configuration', async () => {
    vi.stubEnv('DASHBOARD_ORIGINS', '')
    const response = await billing.checkout()
    expectProblem(response, 'service_unavailable')
    expect(response.body.detail).toContain('cors_origins')
    expect(faultPaths(await billing.checkout({ success_url: dashboard, cancel_url: dashboard }))).toEqual([
      'success_url',
      'cancel_url',
    ])
    vi.unstubAllEnvs()
  })
})

describe('bodies', () => {
  test.each([
    [{ plan: 'enterprise' }, ['plan']],
    [{ plan: 'free' }, ['plan']],
    [{ interval: 'weekly' }, ['interval']],
    [{ interval: undefined }, ['interval']],
    [{ quantity: 0 }, ['quantity']],
    [{ quantity: -1 }, ['quantity']],
    [{ quantity: 1.5 }, ['quantity']],
    [{ quantity: 1001 }, ['quantity']],
    [{ quantity: '2' }, ['quantity']],
    [{ success_url: 7, cancel_url: '' }, ['cancel_url', 'success_url']],
    [{ success_url: `${dashboard}/${'x'.repeat(2048)}` }, ['success_url']],
  ])('%j is 400 and names the field', async (body, paths) => {
    const response = await billing.checkout(body)
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response).sort()).toEqual(paths)
  })
})

describe('who may', () => {
  test('owners and keys with billing:write; admins and members may not', async () => {
    for (const [role, status] of [
      ['owner', 201],
      ['admin', 403],
      ['member', 403],
    ] as const) {
      const response = await billing.checkout({}, { token: await tokenFor(org.orgId, role) })
      expect([role, response.status]).toEqual([role, status])
    }
    expect((await billing.checkout({}, { token: org.readOnlyKey })).status).toBe(403)
  })
})

describe('repeats', () => {
  test('with an Idempotency-Key replay the first answer, also when the session is gone', async () => {
    const headers = { 'idempotency-key': 'buy' }
    const first = await billing.checkout({}, { headers })
    await atStripe('POST', `/v1/checkout/sessions/${first.body.session_id}/expire`)
    const again = await billing.checkout({}, { headers })
    expect([again.status, again.body, again.headers['idempotency-replayed']]).toEqual([201, first.body, 'true'])
    expect(await sessionsOf(org)).toHaveLength(1)
  })

  test('after a death between Stripe and the trail find the session, and the trail learns of it', async () => {
    const died = await interceptTable(
      (call, send) => {
        if (
          call.command === 'TransactWriteItemsCommand' &&
          !call.rows.some((row) => row.startsWith('STRIPECUSTOMER'))
        ) {
          throw new Error('a death of the test')
        }
        return send()
      },
      () => billing.checkout(),
    )
    expect(died.status).toBe(500)
    expect(await billingEvents(org)).toEqual({ customer_bound: 1 })
    const again = await billing.checkout()
    expect(again.status).toBe(200)
    expect(await sessionsOf(org)).toHaveLength(1)
    expect(await billingEvents(org)).toEqual({ customer_bound: 1, checkout_started: 1 })
    await billing.checkout()
    expect(await billingEvents(org)).toEqual({ customer_bound: 1, checkout_started: 1 })
  })

  test('after a death between the customer and its binding find the same customer', async () => {
    await interceptTable(
      (call, send) => {
        if (call.command === 'TransactWriteItemsCommand') throw new Error('a death of the test')
        return send()
      },
      () => billing.checkout(),
    )
    expect(await billingRow(org)).toBeUndefined()
    expect((await billing.checkout()).status).toBe(201)
    expect(await customersOf(org)).toHaveLength(1)
  })

  test.each(['/v1/customers', '/v1/checkout/sessions'])(
    'of a POST %s whose answer was lost make nothing twice',
    async (path) => {
      const started = await withStripeFault({ kind: 'lost_answer', method: 'POST', path, count: 1 }, () =>
        billing.checkout(),
      )
      expect(started.status, started.text).toBe(201)
      expect([(await customersOf(org)).length, (await sessionsOf(org)).length]).toEqual([1, 1])
    },
  )
})

describe('a customer that Stripe does not have any more', () => {
  test('is replaced after its deletion: another is bound, the old plan ends, and the trail has events for it', async () => {
    await billing.subscribe()
    const [old] = await customersOf(org)
    await atStripe('DELETE', `/v1/customers/${old?.id}`)
    const started = await billing.checkout()
    expect(started.status, started.text).toBe(201)
    const [fresh] = await customersOf(org)
    expect(fresh?.id).not.toBe(old?.id)
    expect((await billing.get()).body).toMatchObject({
      customer_id: fresh?.id,
      plan: { code: 'free' },
      subscription: null,
    })
    const [, rebound] = await eventsOf(org, 'billing.customer_bound')
    expect(rebound?.changes).toContainEqual({ field: 'customer_id', before: old?.id, after: fresh?.id })
    expect(rebound?.changes).toContainEqual({ field: 'plan', before: 'team', after: null })
    await pay(started.body.session_id)
    expect((await billing.reconcile(started.body.session_id)).body).toMatchObject({ plan: { code: 'team' } })
  })

  test('is replaced by one customer, however many notice', async () => {
    await billing.checkout()
    const [old] = await customersOf(org)
    await atStripe('DELETE', `/v1/customers/${old?.id}`)
    await Promise.all(Array.from({ length: 10 }, () => billing.checkout()))
    expect(await customersOf(org)).toHaveLength(1)
  })

  test('and never heard of is not replaced: the key is of another account', async () => {
    const store = await stripeStore()
    const paying = await makeBusyOrg()
    await billingOf(paying).subscribe()
    store.remove('customer', (await customersOf(paying))[0]?.id ?? '')
    const refused = await billingOf(paying).checkout()
    expectProblem(refused, 'service_unavailable')
    expect(refused.body.detail).toMatch(/does not know the customer cus_\w+/)
    expect((await rowsOf(paying.orgId, 'BILLING'))[0]).toMatchObject({ projection: { plan: 'team' } })
  })
})

describe('a plan that is not on sale', () => {
  test('is 503 and says which price to make', async () => {
    const store = await stripeStore()
    const price = store.all('price').find(({ lookup_key }) => lookup_key === 'octomil_team_annual')
    store.change('price', price?.id ?? '', { active: false })
    const response = await billing.checkout({ interval: 'annual' })
    store.change('price', price?.id ?? '', { active: true })
    expectProblem(response, 'service_unavailable')
    expect(response.body.detail).toContain('octomil_team_annual')
    expect(response.body.retryable).toBe(false)
    expect(await openSessions()).toEqual([])
  })
})
