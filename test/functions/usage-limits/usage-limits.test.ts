import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { eventsOf, expectWholeChain, makeOrgOn, putOnPlan, trailEnd } from '../../support/governance.ts'
import { type BodyOf, invoke, type Response } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { rowsOf } from '../../support/rows.ts'

afterEach(() => {
  vi.useRealTimers()
})

type Metric = keyof BodyOf<'usage-limits/get'>['limits']

/** The ceilings of `reference/plans.md`, and none of the money that is billed for use. */
const ceilings: Record<'free' | 'team' | 'enterprise', Record<Metric, number | null>> = {
  free: {
    hosted_requests_monthly: 100_000,
    api_requests_monthly: 100_000,
    managed_billable_micros_monthly: null,
    max_devices: 25,
    max_models: 3,
    storage_gb: 5,
    training_rounds_monthly: 100,
    model_downloads_monthly: 2500,
  },
  team: {
    hosted_requests_monthly: 1_000_000,
    api_requests_monthly: 1_000_000,
    managed_billable_micros_monthly: null,
    max_devices: 1000,
    max_models: 20,
    storage_gb: 100,
    training_rounds_monthly: 10_000,
    model_downloads_monthly: 50_000,
  },
  enterprise: {
    hosted_requests_monthly: 100_000_000,
    api_requests_monthly: 100_000_000,
    managed_billable_micros_monthly: null,
    max_devices: null,
    max_models: null,
    storage_gb: 10_000,
    training_rounds_monthly: null,
    model_downloads_monthly: null,
  },
}
const metrics = Object.keys(ceilings.free) as Metric[]
const plans = ['free', 'team', 'enterprise'] as const
/** The cheapest plan above one whose ceiling of a metric is higher. */
const planAbove = (plan: (typeof plans)[number], metric: Metric) =>
  plans.slice(plans.indexOf(plan) + 1).find((next) => {
    const [own, higher] = [ceilings[plan][metric], ceilings[next][metric]]
    return higher === null || (own !== null && (higher ?? 0) > (own ?? 0))
  })

let org: TestOrg
beforeAll(async () => {
  org = await makeBusyOrg()
})

const get = ({ adminKey } = org) => invoke('usage-limits/get', { token: adminKey })
const put = (body: unknown, { adminKey } = org, headers: Record<string, string> = {}) =>
  invoke('usage-limits/update', { token: adminKey, body, headers })
const set = (limits: object, of = org, headers: Record<string, string> = {}) => put({ limits }, of, headers)
const enforce = (limit: number | null) => ({ limit, mode: 'enforce' })

async function expectNothingDone(of: TestOrg, run: () => Promise<Response>): Promise<Response> {
  const before = await get(of)
  const rows = await rowsOf(of.orgId, 'USAGELIMITS')
  const end = await trailEnd(of)
  const response = await run()
  expect((await get(of)).text).toBe(before.text)
  expect(await rowsOf(of.orgId, 'USAGELIMITS')).toEqual(rows)
  expect(await trailEnd(of)).toBe(end)
  return response
}

describe.each(plans)('on plan %s', (plan) => {
  let own: TestOrg
  beforeAll(async () => {
    own = await makeOrgOn(plan)
  })

  test('an org that has set nothing sees every metric at the plan’s ceiling', async () => {
    const fresh = await makeOrgOn(plan)
    const { status, body, headers } = await get(fresh)
    expect(status).toBe(200)
    expect(headers.etag).toMatch(/^"[^"]+"$/)
    expect(body).toEqual({
      limits: Object.fromEntries(
        metrics.map((metric) => [
          metric,
          {
            limit: ceilings[plan][metric],
            mode: 'enforce',
            plan_ceiling: ceilings[plan][metric],
            source: 'plan',
            updated_at: null,
            used: 0,
            remaining: ceilings[plan][metric],
            exceeded: false,
          },
        ]),
      ),
    })
  })

  test.each(metrics)('%s is the org’s own up to the ceiling, and 402 above it', async (metric) => {
    const ceiling = ceilings[plan][metric] ?? null
    const highest = ceiling ?? Number.MAX_SAFE_INTEGER
    for (const limit of [0, highest]) {
      const { status, body } = await set({ [metric]: enforce(limit) }, own)
      expect(status).toBe(200)
      expect(body.limits[metric]).toMatchObject({
        limit,
        mode: 'enforce',
        plan_ceiling: ceiling,
        source: 'org',
      })
    }
    if (ceiling === null) return
    const refused = await expectNothingDone(own, () => set({ [metric]: enforce(ceiling + 1) }, own))
    expectProblem(refused, 'plan_limit_reached')
    expect(faultPaths(refused)).toEqual([`limits.${metric}.limit`])
    expect(refused.body.detail).toContain(String(ceiling))
    const needed = planAbove(plan, metric)
    if (needed) expect(refused.body.detail).toContain(needed)
  })
})

describe('a limit', () => {
  test('of null is no limit below the plan’s: the ceiling shows, its source is the plan, which enforces', async () => {
    await set({ max_devices: { limit: 7, mode: 'alert_only' }, managed_billable_micros_monthly: enforce(5) })
    const { body } = await set({
      max_devices: { limit: null, mode: 'alert_only' },
      managed_billable_micros_monthly: enforce(null),
    })
    expect(body.limits.max_devices).toMatchObject({ limit: 25, mode: 'enforce', plan_ceiling: 25, source: 'plan' })
    expect(body.limits.managed_billable_micros_monthly).toMatchObject({
      limit: null,
      plan_ceiling: null,
      source: 'plan',
    })
    expect((await get()).body).toEqual(body)
  })

  test('follows the plan: a downgrade shows the ceiling again, an upgrade the org’s own', async () => {
    const own = await makeOrgOn('team')
    const set1 = await set({ max_devices: { limit: 500, mode: 'alert_only' }, max_models: enforce(2) }, own)
    const updated_at = set1.body.limits.max_devices.updated_at
    await putOnPlan(own, 'free')
    expect((await get(own)).body.limits).toMatchObject({
      max_devices: { limit: 25, mode: 'enforce', plan_ceiling: 25, source: 'plan', updated_at },
      max_models: { limit: 2, plan_ceiling: 3, source: 'org' },
      api_requests_monthly: { limit: 100_000, plan_ceiling: 100_000, source: 'plan' },
    })
    expectProblem(await set({ max_devices: enforce(500) }, own), 'plan_limit_reached')
    // A limit above the ceiling after a downgrade does not block changes of other metrics.
    expect((await set({ max_models: enforce(1) }, own)).body.limits.max_models.limit).toBe(1)
    await putOnPlan(own, 'enterprise')
    expect((await get(own)).body.limits.max_devices).toMatchObject({
      limit: 500,
      mode: 'alert_only',
      plan_ceiling: null,
      source: 'org',
      updated_at,
    })
  })

  test.each([[-1], [1.5], ['5'], [''], [true], [[5]], [{}], [2 ** 53], [undefined]])(
    'of %j is 400 at limits.max_devices.limit',
    async (limit) => {
      const refused = await expectNothingDone(org, () =>
        set({ max_models: enforce(1), max_devices: { limit, mode: 'enforce' } }),
      )
      expectProblem(refused, 'invalid_input')
      expect(faultPaths(refused)).toEqual(['limits.max_devices.limit'])
    },
  )

  test.each(['NaN', 'Infinity', '1e999'])('of %s, unquoted in the body, is 400', async (literal) => {
    const rawBody = `{"limits":{"max_devices":{"limit":${literal},"mode":"enforce"}}}`
    expectProblem(await invoke('usage-limits/update', { token: org.adminKey, rawBody }), 'invalid_input')
  })

  test.each([['ENFORCE'], [''], [null], [1]])('in mode %j is 400 at limits.max_devices.mode', async (mode) => {
    const refused = await expectNothingDone(org, () => set({ max_devices: { limit: 5, mode } }))
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual(['limits.max_devices.mode'])
  })

  test('has no other fields: each is named', async () => {
    const refused = await expectNothingDone(org, () =>
      set({ max_devices: { ...enforce(5), source: 'org', plan_ceiling: 99 } }),
    )
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused).sort()).toEqual(['limits.max_devices.plan_ceiling', 'limits.max_devices.source'])
  })
})

describe('the metrics of a request', () => {
  test('an unknown one is answered with the known ones, beside malformed values too', async () => {
    const own = await makeBusyOrg()
    const limits = { max_device: { limit: 5 }, max_models: { limit: 'many' }, storage_gb: 7 }
    const refused = await set(limits, own)
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused).sort()).toEqual(['limits.max_device', 'limits.max_models.limit', 'limits.storage_gb'])
    const [unknown] = refused.body.errors.filter(({ path }: { path: string }) => path === 'limits.max_device')
    for (const metric of metrics) expect(unknown?.message).toContain(metric)
  })

  test.each([
    'max_device',
    'MAX_DEVICES',
    'max_environments',
    'requests_monthly',
    'constructor',
    'toString',
    'hasOwnProperty',
    '__proto__',
  ])('%s is no metric: 400 that names it and lists all metrics, and nothing is set', async (name) => {
    const rawBody = `{"limits":{"max_models":{"limit":1,"mode":"enforce"},"${name}":{"limit":1,"mode":"enforce"}}}`
    const refused = await expectNothingDone(org, () => invoke('usage-limits/update', { token: org.adminKey, rawBody }))
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual([`limits.${name}`])
    const [{ message }] = refused.body.errors
    // Every body with that member is refused, before the schema is applied.
    if (name !== '__proto__') for (const metric of metrics) expect(message).toContain(metric)
  })

  test('that are unknown are all named, also together with an invalid limit', async () => {
    const refused = await set({ cats: enforce(1), dogs: { limit: -1, mode: 'enforce' }, max_devices: enforce(-1) })
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual(
      expect.arrayContaining(['limits.cats', 'limits.dogs', 'limits.max_devices.limit']),
    )
  })

  test.each<[string, unknown, string]>([
    ['no limits at all', {}, 'limits'],
    ['limits of null', { limits: null }, 'limits'],
    ['a list of limits', { limits: [enforce(1)] }, 'limits'],
    ['empty limits', { limits: {} }, 'limits'],
    ['a metric of null', { limits: { max_devices: null } }, 'limits.max_devices'],
    ['a bare number', { limits: { max_devices: 5 } }, 'limits.max_devices'],
    ['a field beside limits', { limits: { max_devices: enforce(5) }, plan: 'team' }, 'plan'],
  ])('%s is 400 and named', async (_what, body, path) => {
    const refused = await expectNothingDone(org, () => put(body))
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual([path])
  })

  test('that are in the body are set, and the others stay the same', async () => {
    const own = await makeBusyOrg()
    await set({ max_devices: enforce(5), storage_gb: { limit: 1, mode: 'alert_only' } }, own)
    const before = (await get(own)).body.limits
    const written = await set({ max_devices: { limit: 6, mode: 'alert_only' }, max_models: enforce(0) }, own)
    const { status, body } = written
    expect(status).toBe(200)
    expect(body.limits).toEqual({
      ...before,
      max_devices: {
        ...before.max_devices,
        limit: 6,
        remaining: 6,
        mode: 'alert_only',
        updated_at: expect.any(String),
      },
      max_models: { ...before.max_models, limit: 0, remaining: 0, source: 'org', updated_at: expect.any(String) },
    })
    expect((await get(own)).text).toBe(written.text)
  })

  test('are all set or none: one above its ceiling is 402 for the whole, naming each that is', async () => {
    const own = await makeBusyOrg()
    await set({ max_devices: enforce(5) }, own)
    const refused = await expectNothingDone(own, () =>
      set(
        {
          max_devices: enforce(6),
          max_models: enforce(4),
          storage_gb: enforce(6),
          training_rounds_monthly: enforce(1),
        },
        own,
      ),
    )
    expectProblem(refused, 'plan_limit_reached')
    expect(faultPaths(refused).sort()).toEqual(['limits.max_models.limit', 'limits.storage_gb.limit'])
    expect(refused.body.detail).toContain('team')
    expect(await eventsOf(own, 'usage_limits.updated')).toHaveLength(1)
  })

  test('a limit that only enterprise allows names enterprise, and one beyond every plan says so', async () => {
    const only = await set({ max_devices: enforce(1001) })
    expect(only.body.errors[0].message).toContain('enterprise')
    expect(only.body.errors[0].message).not.toContain('team')
    const beyond = await set({ storage_gb: enforce(10_001) })
    expectProblem(beyond, 'plan_limit_reached')
    expect(beyond.body.detail).toContain('no plan')
  })

  test('the metric without a ceiling takes any limit on every plan', async () => {
    const { body } = await set({ managed_billable_micros_monthly: enforce(Number.MAX_SAFE_INTEGER) })
    expect(body.limits.managed_billable_micros_monthly).toMatchObject({
      limit: Number.MAX_SAFE_INTEGER,
      plan_ceiling: null,
      source: 'org',
    })
    expect((await get()).body.limits.managed_billable_micros_monthly.limit).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe('a change of the limits', () => {
  test('is one event with before and after of each metric that changed, and moves its updated_at only', async () => {
    const own = await makeBusyOrg()
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    const first = await set({ max_devices: enforce(5), max_models: enforce(1) }, own)
    vi.setSystemTime(start + 1000)
    const second = await set({ max_devices: { limit: 5, mode: 'alert_only' }, max_models: enforce(1) }, own)
    expect(first.body.limits.max_devices.updated_at).toBe(new Date(start).toISOString())
    expect(second.body.limits.max_devices.updated_at).toBe(new Date(start + 1000).toISOString())
    expect(second.body.limits.max_models.updated_at).toBe(new Date(start).toISOString())
    const events = await eventsOf(own, 'usage_limits.updated')
    expect(events).toHaveLength(2)
    expect(events[0]?.changes.map(({ field }) => field).sort()).toEqual(['max_devices', 'max_models'])
    expect(events[1]).toMatchObject({
      result: 'success',
      resource: { type: 'usage_limits', id: own.orgId },
      request_id: second.headers['x-request-id'],
      changes: [
        { field: 'max_devices', before: { limit: 5, mode: 'enforce' }, after: { limit: 5, mode: 'alert_only' } },
      ],
    })
    expect(events[1]?.changes).toHaveLength(1)
    await expectWholeChain(own)
  })

  test('that changes nothing answers the current limits and appends no event', async () => {
    const own = await makeBusyOrg()
    const limits = { max_devices: enforce(5), storage_gb: { limit: null, mode: 'alert_only' } }
    const first = await set(limits, own)
    const again = await expectNothingDone(own, () => set(limits, own))
    expect({ status: again.status, body: again.body, etag: again.headers.etag }).toEqual({
      status: 200,
      body: first.body,
      etag: first.headers.etag,
    })
  })

  test('answers the ETag of the next get, and checks If-Match before the plan', async () => {
    const own = await makeBusyOrg()
    const first = await get(own)
    const changed = await set({ max_devices: enforce(5) }, own, { 'if-match': first.headers.etag ?? '' })
    expect(changed.status).toBe(200)
    expect(changed.headers.etag).not.toBe(first.headers.etag)
    expect((await get(own)).headers.etag).toBe(changed.headers.etag)
    const stale = { 'if-match': first.headers.etag ?? '' }
    for (const limit of [5, 6, 1_000_000]) {
      const refused = await expectNothingDone(own, () => set({ max_devices: enforce(limit) }, own, stale))
      expectProblem(refused, 'precondition_failed')
    }
    expectProblem(await set({ max_devices: enforce(-1) }, own, stale), 'invalid_input')
    expect((await set({ max_devices: enforce(6) }, own, { 'if-match': '*' })).status).toBe(200)
  })

  test('with the same If-Match as another at once: one lands whole, one is 412', async () => {
    const own = await makeBusyOrg()
    const headers = { 'if-match': (await get(own)).headers.etag ?? '' }
    const wanted = [
      { max_devices: enforce(1), max_models: enforce(1) },
      { max_devices: enforce(2), storage_gb: enforce(2) },
    ]
    const answers = await Promise.all(wanted.map((limits) => set(limits, own, headers)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412])
    const winner = answers.findIndex(({ status }) => status === 200)
    const { limits } = (await get(own)).body
    const owned = metrics.filter((metric) => limits[metric].source === 'org')
    expect(owned.sort()).toEqual(Object.keys(wanted[winner] ?? {}).sort())
  })

  test('without If-Match, one to each metric at once: all land', async () => {
    const own = await makeBusyOrg()
    const answers = await Promise.all(metrics.map((metric) => set({ [metric]: enforce(1) }, own)))
    expect(answers.map(({ status }) => status)).toEqual(metrics.map(() => 200))
    const { limits } = (await get(own)).body
    expect(metrics.map((metric) => [limits[metric].limit, limits[metric].source])).toEqual(
      metrics.map(() => [1, 'org']),
    )
    expect(await eventsOf(own, 'usage_limits.updated')).toHaveLength(metrics.length)
    await expectWholeChain(own)
  })

  test('by a member is 403 naming the scope, and is recorded', async () => {
    const own = await makeBusyOrg()
    const token = await tokenFor(own.orgId, 'member')
    const refused = await invoke('usage-limits/update', { token, body: { limits: { max_devices: enforce(1) } } })
    expectProblem(refused, 'forbidden')
    expect(refused.body.detail).toContain('settings:write')
    expect(await eventsOf(own, 'usage_limits.updated')).toMatchObject([{ result: 'denied', changes: [] }])
    expect((await invoke('usage-limits/get', { token })).body.limits.max_devices.source).toBe('plan')
  })
})

test('the calls of published clients work unchanged, with org_id in the query', async () => {
  const query = { org_id: org.orgId }
  const read = await invoke('usage-limits/get', { token: org.adminKey, query })
  expect(read.status).toBe(200)
  const body = { limits: { max_devices: { limit: 9, mode: 'alert_only' } } }
  const written = await invoke('usage-limits/update', { token: org.adminKey, query, body })
  expect(written.body.limits.max_devices).toMatchObject({ limit: 9, mode: 'alert_only', source: 'org' })
})
