import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { callsDuring } from '../../support/faults.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { faultPaths } from '../../support/problems.ts'
import { putRow, putRows } from '../../support/rows.ts'
import {
  allHealth,
  at,
  counted,
  healthOf,
  heldStart,
  holdClock,
  makeTarget,
  putTargets,
  report,
  timeAt,
} from './targets.ts'

let org: TestOrg
let target_id: string
beforeEach(async () => {
  org = await makeBusyOrg()
  target_id = await makeTarget(org)
  holdClock()
})
afterEach(() => {
  vi.useRealTimers()
})

const health = () => healthOf(org, target_id)
const quiet = {
  ...{ request_rate_per_minute: 0, inflight: 0, success_rate: null, failure_rate: null, sample_count: 0 },
  ...{ token_rate_per_minute: 0, succeeded: 0, failed: 0, latency_ms_p50: null, stale: true },
  ...{ last_verified_at: null, verification_latency_ms: null, verification_error: null },
  cooldown: { active: false, until: null, reason: null, trial: false },
}

test('a target of which nothing was reported has no rates, is stale, and holds no requests', async () => {
  expect(await allHealth(org)).toEqual({
    data: [{ target_id, kind: 'local', provider: 'vllm', ...quiet }],
    routing: { strategy: 'priority', cooldown_seconds: 60 },
    window_seconds: 240,
    as_of: timeAt(0),
  })
  expect((await allHealth(await makeBusyOrg())).data).toEqual([])
})

test('the window is the current minute and the four before it, and says how long that is', async () => {
  for (const [seconds, length] of [
    [0, 240],
    [1, 241],
    [30.4, 270],
    [59.999, 300],
    [60, 240],
  ] as const) {
    at(seconds)
    expect((await allHealth(org)).window_seconds).toBe(length)
  }
})

describe('rates', () => {
  test('cover all reports in the window, including the last one', async () => {
    at(10)
    await counted(org, { target_id, started: 30, succeeded: 20, failed: 10, latency_ms_p50: 100 })
    at(70)
    await counted(org, { target_id, started: 60, succeeded: 60, latency_ms_p50: 400 })
    at(120)
    // 90 in 240 s; 80 of 90; (30 × 100 + 60 × 400) / 90.
    expect(await health()).toMatchObject({
      request_rate_per_minute: 22.5,
      success_rate: 0.8889,
      failure_rate: 0.1111,
      ...{ succeeded: 80, failed: 10 },
      sample_count: 90,
      latency_ms_p50: 300,
    })
    at(150)
    // 90 in 270 s.
    expect((await health()).request_rate_per_minute).toBe(20)
    at(299.999)
    expect((await health()).sample_count).toBe(90)
    at(300)
    // The first minute has left the window: 60 in 240 s.
    expect(await health()).toMatchObject({
      ...{ request_rate_per_minute: 15, success_rate: 1, failure_rate: 0, sample_count: 60, latency_ms_p50: 400 },
    })
    at(360)
    expect(await health()).toMatchObject({ ...quiet, target_id })
  })

  test('of tokens are of the reports that name them', async () => {
    await counted(org, [
      { target_id, started: 1, tokens: 1000 },
      { target_id, started: 1, tokens: 200 },
    ])
    await counted(org, { target_id, started: 1 })
    at(61)
    await counted(org, { target_id, tokens: 1_000_000_000 })
    at(60 * 4)
    expect((await health()).token_rate_per_minute).toBe(250_000_300)
    const refused = await report(org, { target_id, tokens: 1_000_000_001 })
    expect([refused.status, faultPaths(refused)]).toEqual([400, ['reports.0.tokens']])
  })

  test('are null while requests have begun and none has ended', async () => {
    await counted(org, { target_id, started: 8, inflight: 8, latency_ms_p50: 5 })
    expect(await health()).toMatchObject({
      ...{ request_rate_per_minute: 2, inflight: 8, sample_count: 0, success_rate: null, failure_rate: null },
      ...{ latency_ms_p50: null, stale: false },
    })
  })

  test('weigh a median by the requests that it is of, and leave out reports that have none', async () => {
    await counted(org, { target_id, succeeded: 1, latency_ms_p50: 1000 })
    await counted(org, { target_id, succeeded: 8, failed: 1, latency_ms_p50: 0 })
    await counted(org, { target_id, succeeded: 1000 })
    expect((await health()).latency_ms_p50).toBe(100)
  })
})

describe('requests in flight', () => {
  test('are the sum of the last gauge of each reporter', async () => {
    for (const [reporter, inflight] of [
      ['a', 5],
      ['b', 7],
      ['a', 2],
      ['c', 0],
    ] as const)
      await counted(org, { target_id, inflight }, { reporter })
    expect((await health()).inflight).toBe(9)
    await counted(org, { target_id, inflight: 0 }, { reporter: 'b' })
    expect((await health()).inflight).toBe(2)
  })

  test('count the last gauge of a reporter across minutes, and not the one before it', async () => {
    at(59)
    await counted(org, { target_id, inflight: 50 }, { reporter: 'a' })
    await counted(org, { target_id, inflight: 4 }, { reporter: 'b' })
    at(61)
    await counted(org, { target_id, inflight: 3 }, { reporter: 'a' })
    expect((await health()).inflight).toBe(7)
    at(125)
    await counted(org, { target_id, inflight: 1 }, { reporter: 'a' })
    expect((await health()).inflight).toBe(5)
  })

  test('of a reporter that died count for 120 s and no longer; then the target is stale', async () => {
    at(30)
    await counted(org, { target_id, inflight: 40 }, { reporter: 'dead' })
    at(90)
    await counted(org, { target_id, inflight: 2 }, { reporter: 'alive' })
    at(149.999)
    expect(await health()).toMatchObject({ inflight: 42, stale: false })
    at(150)
    expect(await health()).toMatchObject({ inflight: 2, stale: false })
    at(209.999)
    expect(await health()).toMatchObject({ inflight: 2, stale: false })
    at(210)
    expect(await health()).toMatchObject({ inflight: 0, stale: true })
  })
})

describe('the time of the last report', () => {
  test('does not go back when an earlier report lands after it', async () => {
    at(119)
    await counted(org, { target_id, succeeded: 1 }, { reporter: 'a' })
    at(100)
    await counted(org, { target_id, succeeded: 1 }, { reporter: 'b' })
    at(225)
    expect((await health()).stale).toBe(false)
  })
})

test('reports of one org are no health of another, nor those of a target that is gone', async () => {
  const other = await makeBusyOrg()
  await counted(org, { target_id, succeeded: 1, inflight: 1 })
  await putTargets(other.orgId, { local: 1 })
  for (const entry of (await allHealth(other)).data) expect(entry).toMatchObject(quiet)
  await invoke('execution/delete-local-target', { token: org.adminKey, params: { target_id } })
  expect((await allHealth(org)).data).toEqual([])
})

test('reading health needs execution:read, which members have', async () => {
  vi.useRealTimers()
  const { status } = await invoke('execution/health', { token: await tokenFor(org.orgId, 'member') })
  expect(status).toBe(200)
})

describe('the number of calls of the table that one answer takes', () => {
  const callsOf = async ({ adminKey }: TestOrg) => {
    // The first use of a key stamps it.
    await invoke('execution/health', { token: adminKey })
    const calls = await callsDuring(() => invoke('execution/health', { token: adminKey }))
    return Object.entries(Object.groupBy(calls, ({ command }) => command)).map(([name, all]) => [name, all?.length])
  }

  /** Buckets of the window as reports leave them, of a size that can be chosen by the number of their reporters. */
  const buckets = (orgId: string, ids: readonly string[], reporters: number) =>
    ids.flatMap((id) =>
      Array.from({ length: 5 }, (_, back) => {
        const minute = String(heldStart / 60_000 - back).padStart(9, '0')
        const names = Array.from({ length: reporters }, (_, index) => `reporter-${index}`)
        return {
          pk: `ORG#${orgId}#HEALTH`,
          sk: `B#${minute}#${id}`,
          ...{ started: 5, succeeded: 3, failed: 1, latency_sum_ms: 400, latency_count: 4 },
          ...{ reporters: new Set(names), last_report_ms: heldStart - back * 60_000 },
          ...Object.fromEntries(names.map((name) => [`g:${name}`, { inflight: 1, at: heldStart - back * 60_000 }])),
        }
      }),
    )

  test('does not grow with the number of targets: five queries for none, one, or four hundred', async () => {
    const full = await makeBusyOrg()
    const { local, connections, credentials } = await putTargets(full.orgId, {
      ...{ local: 200, connections: 100, credentials: 100 },
    })
    const ids = [...local, ...connections, ...credentials]
    await putRows(buckets(full.orgId, ids, 1))
    const expected = [
      ['GetItemCommand', expect.any(Number)],
      ['UpdateItemCommand', 1],
      ['QueryCommand', 5],
    ]
    const ofNone = await callsOf(await makeBusyOrg())
    expect(ofNone.sort()).toEqual(expected.sort())
    expect((await callsOf(org)).sort()).toEqual(ofNone)
    expect((await callsOf(full)).sort()).toEqual(ofNone)
    const { data } = await allHealth(full)
    expect(data).toHaveLength(400)
    for (const entry of data)
      expect(entry).toMatchObject({ sample_count: 20, success_rate: 0.75, inflight: 1, request_rate_per_minute: 6.25 })
  })

  test('grows by one query for each MiB of reports, and all of them are read', async () => {
    const { local } = await putTargets(org.orgId, { local: 20 })
    const rows = buckets(org.orgId, local, 400)
    for (const row of rows) await putRow(row)
    const bytes = rows.length * sizeOf(rows[0] ?? {})
    const queries = (await callsOf(org)).find(([name]) => name === 'QueryCommand')?.[1] ?? 0
    expect(bytes).toBeGreaterThan(2 * 1024 * 1024)
    expect(Number(queries)).toBeGreaterThanOrEqual(6)
    expect(Number(queries)).toBeLessThanOrEqual(5 + Math.floor(bytes / 1024 / 1024))
    const reported = (await allHealth(org)).data.filter(({ stale }: { stale: boolean }) => !stale)
    expect(reported).toHaveLength(20)
    for (const entry of reported) expect(entry).toMatchObject({ sample_count: 20, inflight: 400 })
  })

  /** As DynamoDB counts: the length of names and texts, about 8 bytes a number, 3 and 1 for a map and its members. */
  function sizeOf(value: unknown): number {
    if (typeof value === 'string') return value.length
    if (value instanceof Set) return [...value].reduce<number>((all, entry) => all + sizeOf(entry), 3)
    if (typeof value !== 'object' || value === null) return 8
    return Object.entries(value).reduce((all, [name, part]) => all + name.length + sizeOf(part), 3)
  }
})
