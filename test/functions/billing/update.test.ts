/** Overriding the plan: by owners, with a reason, beside what Stripe says, and not where plans are sold. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ownerKey, storedOwner } from '../../../shared/stripe/owner.ts'
import { billingOf, billingRow } from '../../support/billing.ts'
import { eventsOf, expectWholeChain, trailEnd } from '../../support/governance.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { putRow } from '../../support/rows.ts'

let org: TestOrg
let billing: ReturnType<typeof billingOf>
beforeEach(async () => {
  org = await makeBusyOrg()
  billing = billingOf(org)
})
afterEach(() => {
  vi.unstubAllEnvs()
  vi.useRealTimers()
})

const soon = () => new Date(Date.now() + 60_000).toISOString()

describe('an override', () => {
  test('sets the plan for gates and limits, with why, when and by whom', async () => {
    const set = await billing.override({
      plan: 'enterprise',
      reason: 'a pilot',
      expires_at: '2099-01-01T02:00:00+02:00',
    })
    expect(set.status, set.text).toBe(200)
    expect(set.body).toMatchObject({
      plan: { code: 'enterprise' },
      plan_source: 'override',
      override: {
        plan: 'enterprise',
        reason: 'a pilot',
        expires_at: '2099-01-01T00:00:00.000Z',
        set_by: expect.stringMatching(/^owner-/),
      },
    })
    expect((await billing.get()).headers.etag).toBe(set.headers.etag)
    const patched = await invoke('org-settings/update', { token: org.adminKey, body: { hipaa_mode: true } })
    expect(patched.status, patched.text).toBe(200)
  })

  test('leaves an event when it is set, changed and cleared', async () => {
    await billing.override({ plan: 'team', reason: 'a pilot' })
    await billing.override({ expires_at: '2099-01-01T00:00:00Z' })
    await billing.override({ plan: null })
    const [set, changed] = await eventsOf(org, 'billing.override_set')
    expect(set).toMatchObject({ actor: { type: 'user' }, resource: { type: 'billing', id: org.orgId } })
    expect(set?.changes).toEqual([
      { field: 'override.plan', before: null, after: 'team' },
      { field: 'override.reason', before: null, after: 'a pilot' },
    ])
    expect(changed?.changes).toEqual([
      { field: 'override.expires_at', before: null, after: '2099-01-01T00:00:00.000Z' },
    ])
    const [cleared] = await eventsOf(org, 'billing.override_cleared')
    expect(cleared?.changes).toContainEqual({ field: 'override.plan', before: 'team', after: null })
    expect(await billingRow(org)).not.toHaveProperty('override')
    await expectWholeChain(org)
  })

  test('is independent of Stripe’s plan: neither changes the other', async () => {
    await billing.override({ plan: 'enterprise', reason: 'a pilot' })
    const { override } = (await billing.get()).body
    const paid = await billing.subscribe()
    expect(paid.body).toMatchObject({
      plan: { code: 'enterprise' },
      plan_source: 'override',
      override,
      subscription: { status: 'active' },
    })
    const { projection, subscription } = (await billing.get()).body
    const cleared = await billing.override({ plan: null })
    expect(cleared.body).toMatchObject({
      plan: { code: 'team' },
      plan_source: 'stripe',
      override: null,
      projection,
      subscription,
    })
  })

  test('can put an organization on less than it pays for', async () => {
    await billing.subscribe()
    const set = await billing.override({ plan: 'free', reason: 'abuse' })
    expect(set.body).toMatchObject({ plan: { code: 'free' }, plan_source: 'override' })
  })

  test('expires by itself; a later override starts fresh', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    await billing.override({ plan: 'enterprise', reason: 'a pilot', expires_at: soon() })
    vi.setSystemTime(Date.now() + 61_000)
    expect((await billing.get()).body).toMatchObject({ plan: { code: 'free' }, override: null })
    const bare = await billing.override({ reason: 'still a pilot' })
    expect(faultPaths(bare)).toEqual(['plan'])
    const anew = await billing.override({ plan: 'team', reason: 'again' })
    expect(anew.body.override).toMatchObject({ plan: 'team', expires_at: null })
  })

  test('that is cleared while absent, or set to the same value, changes nothing and leaves no event', async () => {
    const before = await trailEnd(org)
    expect((await billing.override({ plan: null })).status).toBe(200)
    expect(await trailEnd(org)).toBe(before)
    const first = await billing.override({ plan: 'team', reason: 'same' })
    const end = await trailEnd(org)
    const second = await billing.override({ plan: 'team', reason: 'same' })
    expect([second.status, second.body, second.headers.etag]).toEqual([200, first.body, first.headers.etag])
    expect(await trailEnd(org)).toBe(end)
  })
})

describe('a patch', () => {
  test.each([
    [{}, ['']],
    [{ plan: 'team' }, ['reason']],
    [{ plan: 'team', reason: '' }, ['reason']],
    [{ plan: 'team', reason: ' ' }, ['reason']],
    [{ plan: 'team', reason: 'x'.repeat(501) }, ['reason']],
    [{ plan: 'team', reason: null }, ['reason']],
    [{ plan: 'pro', reason: 'x' }, ['plan']],
    [{ plan: 'team', reason: 'x', expires_at: '2020-01-01T00:00:00Z' }, ['expires_at']],
    [{ plan: 'team', reason: 'x', expires_at: 'tomorrow' }, ['expires_at']],
    [{ plan: null, expires_at: '2099-01-01T00:00:00Z' }, ['expires_at']],
    [{ reason: 'of nothing' }, ['plan']],
    [{ expires_at: null }, ['plan']],
  ])('%j is 400', async (body, paths) => {
    const response = await billing.override(body)
    expectProblem(response, 'invalid_input')
    expect(faultPaths(response)).toEqual(paths)
  })

  test('keeps the fields it does not name, and null removes the expiry', async () => {
    await billing.override({ plan: 'team', reason: 'a pilot', expires_at: soon() })
    expect((await billing.override({ plan: 'enterprise', reason: 'more' })).body.override).toMatchObject({
      plan: 'enterprise',
      expires_at: expect.any(String),
    })
    expect((await billing.override({ expires_at: null })).body.override).toMatchObject({
      reason: 'more',
      expires_at: null,
    })
  })

  test('with If-Match overwrites only the state that the caller read', async () => {
    const { headers } = await billing.get()
    const match = { headers: { 'if-match': headers.etag ?? '' } }
    expect((await billing.override({ plan: 'team', reason: 'first' }, match)).status).toBe(200)
    expectProblem(await billing.override({ plan: 'free', reason: 'late' }, match), 'precondition_failed')
    expect((await billing.get()).body.plan.code).toBe('team')
  })

  test('of 10 concurrent changes each has an event, and the last event has the stored state', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => billing.override({ plan: 'team', reason: `reason ${index}` })),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200))
    const events = await eventsOf(org, 'billing.override_set')
    expect(events).toHaveLength(10)
    const last = events.at(-1)?.changes.find(({ field }) => field === 'override.reason')
    expect((await billing.get()).body.override.reason).toBe(last?.after)
  })
})

describe('where plans are sold', () => {
  test('the override is 403 for every caller, and the attempt is in the trail', async () => {
    vi.stubEnv('BILLING_OVERRIDE', undefined)
    const denied = await billing.override({ plan: 'enterprise', reason: 'free lunch' })
    expectProblem(denied, 'forbidden')
    expect(denied.body.detail).toContain('billing_override')
    expect((await billing.get()).body.plan.code).toBe('free')
    const events = await eventsOf(org, 'billing.override_set')
    expect(events).toMatchObject([{ result: 'denied', changes: [], resource: { type: 'billing', id: org.orgId } }])
  })

  test('the stage can switch it on, and others can switch it off', async () => {
    expect((await billing.override({ plan: 'team', reason: 'by contract' })).status).toBe(200)
    vi.stubEnv('BILLING_OVERRIDE', 'off')
    expectProblem(await billing.override({ plan: null }), 'forbidden')
    vi.stubEnv('BILLING_OVERRIDE', 'yes')
    expectProblem(await billing.override({ plan: null }), 'forbidden')
  })

  test('no stage overrides plans once its customers pay in live mode', async () => {
    const before = await storedOwner()
    await putRow({ ...ownerKey, account: 'acct_1', livemode: true })
    const denied = await billing.override({ plan: 'enterprise', reason: 'free lunch' })
    await putRow({ ...ownerKey, account: null, livemode: false, ...before })
    expectProblem(denied, 'forbidden')
    expect(denied.body.detail).toContain('live Stripe key')
    expect((await billing.override({ plan: 'team', reason: 'a test' })).status).toBe(200)
  })

  test('an override of before still holds, and the plan goes on being sold', async () => {
    await billing.override({ plan: 'enterprise', reason: 'by contract' })
    vi.stubEnv('BILLING_OVERRIDE', 'off')
    expect((await billing.get()).body.plan_source).toBe('override')
    expect((await billing.checkout()).status).toBe(201)
  })
})

test('only owners may set it: no key and no other role', async () => {
  const body = { plan: 'team', reason: 'x' }
  const tokens = [org.adminKey, await tokenFor(org.orgId, 'admin'), await tokenFor(org.orgId, 'member')]
  for (const token of tokens) expectProblem(await billing.override(body, { token }), 'forbidden')
  expect(await billingRow(org)).toBeUndefined()
})
