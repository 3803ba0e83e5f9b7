/** Opening the portal: for a customer that is there, and back to a dashboard of ours. */
import { beforeEach, describe, expect, test } from 'vitest'
import { atStripe, billingEvents, billingOf, customersOf, dashboard, stripeStore } from '../../support/billing.ts'
import { eventsOf } from '../../support/governance.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { stripeCallsDuring, withStripeFault } from '../../support/stripe.ts'

let org: TestOrg
let billing: ReturnType<typeof billingOf>
beforeEach(async () => {
  org = await makeBusyOrg()
  billing = billingOf(org)
})

const portals = async () => (await stripeStore()).all('billing_portal.session')

describe('an organization with a customer', () => {
  beforeEach(async () => {
    await billing.checkout()
  })

  test('gets a URL, which leads back to the first dashboard', async () => {
    const opened = await billing.portal()
    expect(opened.status, opened.text).toBe(201)
    const session = (await portals()).at(-1)
    expect(opened.body).toEqual({ url: session?.url })
    expect(opened.headers.location).toBe(session?.url)
    const [customer] = await customersOf(org)
    expect(session).toMatchObject({ customer: customer?.id, return_url: `${dashboard}/settings/billing` })
  })

  test('chooses where it leads back to, among the dashboards', async () => {
    expect((await billing.portal({ return_url: 'https://console.example.com/b?c#d' })).status).toBe(201)
    expect((await portals()).at(-1)?.return_url).toBe('https://console.example.com/b?c#d')
    const elsewhere = await billing.portal({ return_url: 'https://dashboard.example.com.evil.example' })
    expectProblem(elsewhere, 'invalid_input')
    expect(faultPaths(elsewhere)).toEqual(['return_url'])
  })

  test('leaves an event without the URL, because the URL gives access to the portal', async () => {
    const { body } = await billing.portal()
    const events = await eventsOf(org, 'billing.portal_opened')
    expect(events).toMatchObject([{ actor: { type: 'api_key' }, resource: { id: org.orgId }, changes: [] }])
    expect(JSON.stringify(events)).not.toContain(body.url)
  })

  test('gets the same URL for the same Idempotency-Key, and one event', async () => {
    const headers = { 'idempotency-key': 'open' }
    const [first, second] = [await billing.portal({}, { headers }), await billing.portal({}, { headers })]
    expect([second.body, second.headers['idempotency-replayed']]).toEqual([first.body, 'true'])
    expect(await billingEvents(org)).toMatchObject({ portal_opened: 1 })
  })

  test('is asked for a new checkout after Stripe deleted the customer', async () => {
    const [customer] = await customersOf(org)
    await atStripe('DELETE', `/v1/customers/${customer?.id}`)
    const refused = await billing.portal()
    expectProblem(refused, 'conflict')
    expect(refused.body.detail).toContain('checkout')
  })

  test('gets an error when Stripe fails', async () => {
    expectProblem(await withStripeFault({ kind: 'error', status: 503 }, () => billing.portal()), 'upstream_error')
    expect(await billingEvents(org)).not.toHaveProperty('portal_opened')
  })

  test('only owners and keys with billing:write can open it', async () => {
    const statuses = await Promise.all(
      (['owner', 'admin', 'member'] as const).map(async (role) => {
        const { status } = await billing.portal({}, { token: await tokenFor(org.orgId, role) })
        return [role, status]
      }),
    )
    expect(statuses).toEqual([
      ['owner', 201],
      ['admin', 403],
      ['member', 403],
    ])
  })
})

test('an organization without a customer gets 409, without a call to Stripe', async () => {
  const calls = await stripeCallsDuring(async () => {
    const refused = await billing.portal()
    expectProblem(refused, 'conflict')
    expect(refused.body.detail).toContain('checkout')
  })
  expect(calls).toEqual([])
})
