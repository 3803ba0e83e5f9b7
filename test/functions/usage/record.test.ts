import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { eventsOf, makeOrgOn, putOnPlan } from '../../support/governance.ts'
import { type BodyOf, invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, makeOrg, type TestOrg } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'

type Record = object
const clock = (at: string) => vi.useFakeTimers({ toFake: ['Date'], now: new Date(at) })
const hour = 3_600_000
const iso = (ms: number) => new Date(ms).toISOString()

let org: TestOrg
beforeEach(async () => {
  org = await makeBusyOrg()
})
afterEach(() => {
  vi.useRealTimers()
})

const send = (records: Record[], mode?: 'record' | 'consume', headers = {}, of = org) =>
  invoke('usage/record', { token: of.adminKey, body: { ...(mode ? { mode } : {}), records }, headers })
const usage = async (period?: string, of = org) => {
  const query = period ? { query: { period } } : {}
  const { body } = await invoke('usage/get', { token: of.adminKey, ...query })
  return body.data
}
const limits = async (wanted: object, of = org) => {
  const response = await invoke('usage-limits/update', { token: of.adminKey, body: { limits: wanted } })
  expect(response.status, response.text).toBe(200)
  return response
}
const enforce = (limit: number) => ({ limit, mode: 'enforce' })
const downloads = (add: number, more = {}) => ({ metric: 'model_downloads_monthly', add, ...more })
const devices = (set: number, more = {}) => ({ metric: 'max_devices', set, ...more })

describe('record', () => {
  test('adds sums and sets levels, and answers with the usage of the metrics in the request', async () => {
    clock('2026-11-20T10:00:00Z')
    await send([downloads(5), downloads(7), devices(20)])
    const { status, body } = await send([downloads(1, { id: 'a' }), devices(4)])
    expect(status).toBe(200)
    expect(body).toEqual({
      accepted: 2,
      duplicates: 0,
      permitted: true,
      exceeded: [],
      usage: {
        model_downloads_monthly: { used: 13, limit: 2500, remaining: 2487, exceeded: false },
        max_devices: { used: 4, limit: 25, remaining: 21, exceeded: false },
      },
    })
    expect(await usage()).toMatchObject({
      model_downloads_monthly: { kind: 'sum', used: 13, by_day: [{ date: '2026-11-20', used: 13 }] },
      max_devices: { kind: 'level', used: 4, by_day: [{ date: '2026-11-20', used: 4 }] },
      max_models: { kind: 'level', used: 0, by_day: [] },
    })
  })

  test('counts above a limit, which then shows as exceeded, in usage and in limits', async () => {
    const { body } = await send([downloads(2501)])
    expect(body).toMatchObject({ permitted: true, exceeded: [] })
    const exceeded = { used: 2501, limit: 2500, remaining: 0, exceeded: true }
    expect(body.usage).toEqual({ model_downloads_monthly: exceeded })
    const limits = await invoke('usage-limits/get', { token: org.adminKey })
    expect(limits.body.limits.model_downloads_monthly).toEqual({
      ...exceeded,
      mode: 'enforce',
      plan_ceiling: 2500,
      source: 'plan',
      updated_at: null,
    })
    expect((await send([downloads(1)])).body.permitted).toBe(true)
  })

  test('counts an id once in 48 hours, across requests, metrics and repetitions within a request', async () => {
    const start = Date.parse('2026-11-20T10:00:00Z')
    clock(iso(start))
    const first = await send([downloads(1, { id: 'x' }), downloads(1, { id: 'x' }), devices(3, { id: 'y' })])
    expect(first.body).toMatchObject({ accepted: 2, duplicates: 1 })
    vi.setSystemTime(start + 48 * hour - 1000)
    const repeated = await send([downloads(1, { id: 'y' }), downloads(1, { id: 'x' }), downloads(1)])
    expect(repeated.body).toMatchObject({ accepted: 1, duplicates: 2, usage: { model_downloads_monthly: { used: 2 } } })
    vi.setSystemTime(start + 48 * hour)
    expect((await send([downloads(1, { id: 'x' })])).body).toMatchObject({ accepted: 1, duplicates: 0 })
    expect((await send([downloads(1, { id: 'x' })], 'record', {}, await makeBusyOrg())).body.accepted).toBe(1)
  })

  test.each([25, 26, 100])('counts %i ids once, when two requests with them race', async (count) => {
    const all = ['max_devices', 'max_models', 'storage_gb']
    const batch = Array.from({ length: count }, (_, index) =>
      index < 3 ? { id: `${count}-${index}`, metric: all[index], set: 2 } : downloads(1, { id: `${count}-${index}` }),
    )
    const answers = await Promise.all([send(batch), send(batch), send(batch.slice(2))])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    const sums = answers.reduce((sum, { body }) => sum + body.accepted, 0)
    expect(sums).toBe(count)
    expect((await usage()).model_downloads_monthly.used).toBe(count - 3)
    expect((await send(batch)).body).toMatchObject({ accepted: 0, duplicates: count })
  })

  test('counts a record in the day and month of its time', async () => {
    const now = Date.parse('2026-12-01T06:00:00Z')
    clock(iso(now))
    await send([downloads(2, { at: iso(now - 24 * hour) }), downloads(3), downloads(4, { at: '2026-12-01T06:05:00Z' })])
    expect((await usage('2026-11')).model_downloads_monthly).toMatchObject({
      used: 2,
      by_day: [{ date: '2026-11-30', used: 2 }],
    })
    expect((await usage()).model_downloads_monthly).toMatchObject({
      used: 7,
      by_day: [{ date: '2026-12-01', used: 7 }],
    })
  })

  test.each([
    ['more than 24 hours ago', -24 * hour - 1],
    ['more than 5 minutes ahead', 5 * 60_000 + 1],
  ])('refuses a time %s, and counts nothing', async (_, offset) => {
    const now = Date.parse('2026-11-20T10:00:00Z')
    clock(iso(now))
    const refused = await send([downloads(1), downloads(1, { at: iso(now + offset) })])
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual(['records.1.at'])
    expect((await usage()).model_downloads_monthly.used).toBe(0)
  })

  test.each<[string, Record, string]>([
    ['an unknown metric', { metric: 'max_cats', add: 1 }, 'records.0.metric'],
    ['a sum that is set', { metric: 'api_requests_monthly', set: 1 }, 'records.0.set'],
    ['a level that is added', { metric: 'max_models', add: 1 }, 'records.0.add'],
    ['both', { metric: 'max_models', set: 1, add: 1 }, 'records.0.add'],
    ['no amount', { metric: 'max_models' }, 'records.0.set'],
    ['an amount of zero', downloads(0), 'records.0.add'],
    ['too large an amount', downloads(10 ** 12 + 1), 'records.0.add'],
    ['a fraction', devices(1.5), 'records.0.set'],
    ['a negative level', devices(-1), 'records.0.set'],
    ['an empty id', downloads(1, { id: '' }), 'records.0.id'],
    ['an id of 129 characters', downloads(1, { id: 'x'.repeat(129) }), 'records.0.id'],
    ['an id with a line break', downloads(1, { id: 'a\nb' }), 'records.0.id'],
    ['a time without offset', downloads(1, { at: '2026-11-20T10:00:00' }), 'records.0.at'],
  ])('refuses %s', async (_, record, path) => {
    const refused = await send([record])
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toContain(path)
  })

  test('refuses no records, and more than 100', async () => {
    for (const records of [[], Array.from({ length: 101 }, () => downloads(1))])
      expect(faultPaths(await send(records))).toEqual(['records'])
  })

  test('refuses a sum that JSON cannot hold, and keeps counting what fits', async () => {
    const much = Array.from({ length: 100 }, () => ({ metric: 'managed_billable_micros_monthly', add: 10 ** 12 }))
    for (let index = 0; index < 90; index++) await send(much)
    expectProblem(await send(much), 'conflict')
    const { body } = await send([{ metric: 'managed_billable_micros_monthly', add: 5 }])
    expect(body.usage.managed_billable_micros_monthly?.used).toBe(9 * 10 ** 15 + 5)
  })
})

describe('consume', () => {
  test('counts all records or none, and names each limit that refused', async () => {
    await limits({ model_downloads_monthly: enforce(10), max_models: enforce(2) })
    await send([downloads(8), { metric: 'max_models', set: 1 }])
    const models = { metric: 'max_models', set: 3 }
    const refused = await send([downloads(1), downloads(2, { id: 'r' }), models, devices(5)], 'consume')
    expect(refused.status).toBe(200)
    expect(refused.body).toMatchObject({
      accepted: 0,
      duplicates: 0,
      permitted: false,
      exceeded: [
        { metric: 'model_downloads_monthly', limit: 10, used: 8, requested: 3 },
        { metric: 'max_models', limit: 2, used: 1, requested: 3 },
      ],
      usage: { model_downloads_monthly: { used: 8 }, max_models: { used: 1 }, max_devices: { used: 0 } },
    })
    // The refused request spent no id.
    const fits = await send([downloads(2, { id: 'r' })], 'consume')
    expect(fits.body).toMatchObject({
      accepted: 1,
      permitted: true,
      usage: { model_downloads_monthly: { remaining: 0 } },
    })
    // A duplicate needs no room.
    const duplicate = await send([downloads(2, { id: 'r' })], 'consume')
    expect(duplicate.body).toMatchObject({ accepted: 0, duplicates: 1, permitted: true, exceeded: [] })
    expect((await usage()).max_devices.used).toBe(0)
  })

  test('spends none of many ids when it is refused', async () => {
    await limits({ model_downloads_monthly: enforce(50) })
    const many = Array.from({ length: 60 }, (_, index) => downloads(1, { id: `m${index}` }))
    expect((await send(many, 'consume')).body).toMatchObject({ permitted: false, accepted: 0 })
    expect((await send(many.slice(0, 50), 'consume')).body).toMatchObject({ permitted: true, accepted: 50 })
    expect((await send(many, 'consume')).body).toMatchObject({
      permitted: false,
      duplicates: 50,
      exceeded: [{ used: 50, requested: 10 }],
    })
  })

  test('is never refused by alert_only, and permits lowering a level that is above its limit', async () => {
    await limits({ model_downloads_monthly: { limit: 1, mode: 'alert_only' }, max_devices: enforce(5) })
    expect((await send([downloads(5)], 'consume')).body).toMatchObject({ permitted: true, exceeded: [] })
    await send([devices(20)])
    expect((await send([devices(21)], 'consume')).body.permitted).toBe(false)
    expect((await send([devices(19)], 'consume')).body).toMatchObject({
      permitted: true,
      usage: { max_devices: { used: 19, exceeded: true } },
    })
  })

  test.each([{ id: true }, { id: false }])('lets one of 100 at once pass with room for one ($id)', async ({ id }) => {
    await limits({ model_downloads_monthly: enforce(5) })
    await send([downloads(4)])
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => send([downloads(1, id ? { id: `c${index}` } : {})], 'consume')),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(200))
    expect(answers.filter(({ body }) => body.permitted)).toHaveLength(1)
    expect((await usage()).model_downloads_monthly.used).toBe(5)
  })

  test('follows a plan change at once, up and down', async () => {
    await send([downloads(2500)])
    expect((await send([downloads(1)], 'consume')).body.permitted).toBe(false)
    await putOnPlan(org, 'team')
    expect((await send([downloads(1)], 'consume')).body.permitted).toBe(true)
    await limits({ model_downloads_monthly: { limit: 40_000, mode: 'alert_only' } })
    await putOnPlan(org, 'free')
    const { body } = await send([downloads(1)], 'consume')
    // After a downgrade the plan's ceiling is the lower one, and it is enforced.
    expect(body).toMatchObject({ permitted: false, exceeded: [{ limit: 2500, used: 2501, requested: 1 }] })
  })
})

describe('a level', () => {
  test('applies in order: an older time replaces neither a newer value nor the later value of its day', async () => {
    clock('2026-11-20T10:00:00Z')
    await send([
      devices(5),
      devices(7),
      devices(3, { at: '2026-11-20T09:00:00Z' }),
      devices(8, { at: '2026-11-19T12:00:00Z' }),
    ])
    const { body } = await send([devices(9, { at: '2026-11-19T11:00:00Z' })])
    expect(body).toMatchObject({ accepted: 1, usage: { max_devices: { used: 7 } } })
    expect((await usage()).max_devices).toMatchObject({
      used: 7,
      by_day: [
        { date: '2026-11-19', used: 8 },
        { date: '2026-11-20', used: 7 },
      ],
    })
  })

  test('starts a month at its last value, also after months without records, and a late value moves it', async () => {
    clock('2026-08-31T23:00:00Z')
    await send([devices(6), downloads(3)])
    vi.setSystemTime(Date.parse('2026-11-30T22:00:00Z'))
    expect(await usage()).toMatchObject({ max_devices: { used: 6, by_day: [] }, model_downloads_monthly: { used: 0 } })
    await limits({ max_devices: enforce(6) })
    expect((await send([devices(7)], 'consume')).body.exceeded).toEqual([
      { metric: 'max_devices', limit: 6, used: 6, requested: 7 },
    ])
    vi.setSystemTime(Date.parse('2026-12-01T10:00:00Z'))
    await send([downloads(1)])
    await send([devices(4, { at: '2026-11-30T23:00:00Z' }), downloads(2, { at: '2026-11-30T23:00:00Z' })])
    const late = { used: 4, by_day: [{ date: '2026-11-30', used: 4 }] }
    expect(await usage('2026-11')).toMatchObject({ max_devices: late, model_downloads_monthly: { used: 2 } })
    expect(await usage()).toMatchObject({ max_devices: { used: 4, by_day: [] }, model_downloads_monthly: { used: 1 } })
    expect(await usage('2026-10')).toMatchObject({ max_devices: { used: 6 } })
    expect(await usage('2026-07')).toMatchObject({ max_devices: { used: 0 } })
  })
})

describe('a threshold', () => {
  const reached = async (of = org) =>
    (await eventsOf(of, 'usage.threshold_reached')).map(({ actor, resource, changes }) => ({
      actor: actor.type,
      ...resource,
      ...Object.fromEntries(changes.map(({ field, after }) => [field, after])),
    }))
  const event = (threshold_percent: number, used: number, limit: number, id = 'model_downloads_monthly') => ({
    actor: 'system',
    type: 'usage_metric',
    id,
    threshold_percent,
    used,
    limit,
  })

  test('appends one event each at 80 % and 100 %, whatever becomes of limit and plan, and again next month', async () => {
    clock('2026-11-20T10:00:00Z')
    await send([downloads(1999)])
    expect(await reached()).toEqual([])
    await send([downloads(1)])
    await send([downloads(1)])
    await send([downloads(499)], 'consume')
    const november = [event(80, 2000, 2500), event(100, 2500, 2500)]
    expect(await reached()).toEqual(november)
    await putOnPlan(org, 'team')
    await send([downloads(45_000)])
    await limits({ model_downloads_monthly: enforce(1) })
    await send([downloads(1)])
    expect(await reached()).toEqual(november)
    vi.setSystemTime(Date.parse('2026-12-01T10:00:00Z'))
    await send([downloads(1)])
    expect(await reached()).toEqual([...november, event(80, 1, 1), event(100, 1, 1)])
  })

  test('appends one event each when many requests pass it at once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => send([downloads(125)])))
    const events = await reached()
    expect(events).toMatchObject([{ threshold_percent: 80 }, { threshold_percent: 100 }])
  })

  test('is reached by a level, under alert_only too, and by a lower limit', async () => {
    await limits({ max_devices: { limit: 10, mode: 'alert_only' } })
    await send([devices(9), { metric: 'storage_gb', set: 2 }])
    expect(await reached()).toEqual([event(80, 9, 10, 'max_devices')])
    await limits({ storage_gb: enforce(2) })
    expect((await reached()).slice(1)).toEqual([event(80, 2, 2, 'storage_gb'), event(100, 2, 2, 'storage_gb')])
  })
})

describe('an Idempotency-Key', () => {
  test('replays the answer', async () => {
    const headers = { 'idempotency-key': 'one' }
    const first = await send([downloads(3)], 'consume', headers)
    const second = await send([downloads(3)], 'consume', headers)
    expect([second.headers['idempotency-replayed'], second.body]).toEqual(['true', first.body])
    expect((await usage()).model_downloads_monthly.used).toBe(3)
  })
})

describe('access', () => {
  test('usage:write is needed to record, usage:read to read; bundles hold the latter only', async () => {
    const reader = await makeKey(org, { scopes: ['admin:read'] })
    const writer = await makeKey(org, { scopes: ['usage:write'] })
    const body = { records: [downloads(1)] }
    expectProblem(await invoke('usage/record', { token: reader.api_key, body }), 'forbidden')
    expect((await invoke('usage/get', { token: reader.api_key })).status).toBe(200)
    expect((await invoke('usage/record', { token: writer.api_key, body })).status).toBe(200)
    expectProblem(await invoke('usage/get', { token: writer.api_key }), 'forbidden')
    expect(await eventsOf(org, 'usage.threshold_reached')).toEqual([])
  })

  test('one organization never sees the usage of another', async () => {
    await send([downloads(5)])
    expect((await usage(undefined, await makeOrg())).model_downloads_monthly.used).toBe(0)
  })
})

describe('get', () => {
  const get = (period: string) => invoke('usage/get', { token: org.adminKey, query: { period } })

  test('answers every metric of this month and the twelve before it, in UTC, with zeros without records', async () => {
    clock('2026-03-05T10:00:00Z')
    const { body, headers } = await get('2025-03')
    expect(headers.etag).toMatch(/^"[^"]+"$/)
    const { period, starts_at, resets_at, data } = body
    expect([period, starts_at, resets_at]).toEqual(['2025-03', '2025-03-01T00:00:00.000Z', '2025-04-01T00:00:00.000Z'])
    expect(Object.keys(data)).toHaveLength(8)
    for (const entry of Object.values<BodyOf<'usage/get'>['data']['max_devices']>(data))
      expect(entry).toMatchObject({ used: 0, exceeded: false, by_day: [] })
    expect(data.managed_billable_micros_monthly).toMatchObject({ limit: null, remaining: null, plan_ceiling: null })
  })

  test.each(['2025-02', '2026-04', '2026-13', '2026-3', 'now', ''])('refuses the period %j', async (period) => {
    clock('2026-03-05T10:00:00Z')
    const refused = await get(period)
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual(['period'])
  })
})

test('the ETag of the limits covers limits and modes, not the usage', async () => {
  const of = await makeOrgOn('team')
  const read = () => invoke('usage-limits/get', { token: of.adminKey })
  const before = await read()
  await send([downloads(5)], 'record', {}, of)
  const after = await read()
  expect(after.body.limits.model_downloads_monthly.used).toBe(5)
  expect(after.headers.etag).toBe(before.headers.etag)
  const changed = await limits({ model_downloads_monthly: enforce(9) }, of)
  expect(changed.headers.etag).not.toBe(before.headers.etag)
  expect(changed.body.limits.model_downloads_monthly).toMatchObject({ used: 5, remaining: 4, exceeded: false })
  expect((await read()).headers.etag).toBe(changed.headers.etag)
})
