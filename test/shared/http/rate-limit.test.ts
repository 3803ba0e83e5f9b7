import * as fc from 'fast-check'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { rateCounters } from '../../../shared/http/rate-limit.ts'
import { callsDuring } from '../../support/faults.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, makeOrg, type TestOrg, testIssuer, tokenFor } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { putRow, rowsOf } from '../../support/rows.ts'

/** The first second of a minute, so that no window ends where a test does not want it to. */
const minute = Math.ceil(Date.now() / 60_000) * 60_000

let org: TestOrg
let windows = 0
let start = minute
beforeAll(async () => {
  org = await makeBusyOrg()
})
beforeEach(() => {
  start = minute + windows++ * 600_000
  vi.useFakeTimers({ toFake: ['Date'], now: start })
})
afterEach(() => {
  vi.useRealTimers()
})

const isCounter = (rows: readonly string[]) => rows.some((row) => row.includes('#RATE#'))
/** What a refusal says in the last second of its minute. */
const later = { ratelimit: '"default";r=0;t=1', 'retry-after': '1', 'x-request-id': expect.any(String) }

const use = (token: string) => invoke('api-keys/scopes', { token })
const limited = async (limit: number, body: object = {}) =>
  (await makeKey(org, { rate_limit_per_minute: limit, ...body })).api_key as string

describe('the rate limit', () => {
  test('lets through as many requests a minute as the key has, and answers 429 from the next on', async () => {
    const token = await limited(3)
    vi.setSystemTime(start + 20_000)
    for (const remaining of [2, 1, 0]) {
      const { status, headers } = await use(token)
      expect(status).toBe(200)
      expect(headers['ratelimit-policy']).toBe('"default";q=3;w=60')
      expect(headers.ratelimit).toBe(`"default";r=${remaining};t=40`)
    }
    for (let count = 0; count < 3; count++) {
      const refused = await use(token)
      expectProblem(refused, 'rate_limited')
      expect(refused.body.retryable).toBe(true)
      expect(refused.headers['ratelimit-policy']).toBe('"default";q=3;w=60')
      expect(refused.headers.ratelimit).toBe('"default";r=0;t=40')
      expect(refused.headers['retry-after']).toBe('40')
    }
  })

  test('ends with the minute: a caller that waits for Retry-After is served', async () => {
    const token = await limited(1)
    vi.setSystemTime(start + 59_400)
    await use(token)
    const refused = await use(token)
    expectProblem(refused, 'rate_limited')
    const wait = Number(refused.headers['retry-after'])
    expect(wait).toBe(1)
    vi.setSystemTime(start + 59_400 + wait * 1000)
    const { status, headers } = await use(token)
    expect(status).toBe(200)
    expect(headers.ratelimit).toBe('"default";r=0;t=60')
  })

  test('is 100 for a key without its own and for a person, and 60 for a publishable key', async () => {
    const { api_key } = await makeKey(org)
    const publishable = await makeKey(org, {}, 'api-keys/create-publishable-key')
    const app = await makeKey(org, {}, 'api-keys/create-app-key')
    const policies = []
    for (const token of [api_key, app.api_key, await tokenFor(org.orgId, 'owner'), publishable.api_key]) {
      policies.push((await use(token)).headers['ratelimit-policy'])
    }
    expect(policies).toEqual([100, 100, 100, 60].map((limit) => `"default";q=${limit};w=60`))
  })

  test('is reached by the 101st request of a person, whichever tokens it signs in with', async () => {
    const tokens = [await tokenFor(org.orgId, 'member', 600), await tokenFor(org.orgId, 'member', 900)]
    const answers = await Promise.all(Array.from({ length: 105 }, (_, index) => use(tokens[index % 2] ?? '')))
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([...Array(100).fill(200), ...Array(5).fill(429)])
  })

  test('counts each principal apart', async () => {
    const [one, other] = [await limited(1), await limited(1)]
    expect([(await use(one)).status, (await use(other)).status]).toEqual([200, 200])
    expect([(await use(one)).status, (await use(other)).status]).toEqual([429, 429])
    const stranger = await makeOrg()
    const { mint } = await testIssuer()
    const person = { sub: 'the-same', role: 'owner' } as const
    const here = await use(await mint({ ...person, org_id: org.orgId }, 600))
    const there = await use(await mint({ ...person, org_id: stranger.orgId }, 600))
    expect([here.headers.ratelimit, there.headers.ratelimit]).toEqual(Array(2).fill(expect.stringMatching(/r=99;/)))
  })

  test('counts every operation of a principal together', async () => {
    const token = await limited(2)
    expect((await invoke('api-keys/list', { token })).headers.ratelimit).toMatch(/r=1;/)
    expect((await use(token)).headers.ratelimit).toMatch(/r=0;/)
    expectProblem(await invoke('api-keys/list', { token }), 'rate_limited')
  })

  test('counts refused requests too: 400, 403 and 404 have the headers', async () => {
    const token = await limited(4)
    const answers = [
      await invoke('audit-events/list', { token }),
      await invoke('api-keys/list', { token, query: { state: 'dead' } }),
      await invoke('api-keys/get', { token, params: { key_id: 'key_01jd3v7k3q9x5m2n8r4t6w0y1z' } }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([403, 400, 404])
    expect(answers.map(({ headers }) => headers.ratelimit)).toEqual(
      [3, 2, 1].map((remaining) => `"default";r=${remaining};t=60`),
    )
    for (const { headers } of answers) expect(headers['ratelimit-policy']).toBe('"default";q=4;w=60')
    expect((await use(token)).headers.ratelimit).toMatch(/r=0;/)
    expectProblem(await use(token), 'rate_limited')
  })

  test('has priority over a 403, a 413, a 415, a 400 and a 404', async () => {
    const token = await limited(1)
    await use(token)
    const answers = [
      await invoke('audit-events/list', { token }),
      await invoke('api-keys/list', { token, query: { org_id: 'org_x' } }),
      await invoke('api-keys/create', { token, rawBody: 'x'.repeat(300_000) }),
      await invoke('api-keys/create', { token, rawBody: '{}', headers: { 'content-type': 'text/plain' } }),
      await invoke('api-keys/create', { token, rawBody: '{' }),
      await invoke('api-keys/get', { token, params: { key_id: 'nope' } }),
    ]
    for (const answer of answers) expectProblem(answer, 'rate_limited')
  })

  test('comes after a 401: a dead key always gets a 401', async () => {
    const { id, api_key } = await makeKey(org, { rate_limit_per_minute: 1 })
    await use(api_key)
    expectProblem(await use(api_key), 'rate_limited')
    await invoke('api-keys/revoke', { token: org.adminKey, params: { key_id: id } })
    const refused = await use(api_key)
    expectProblem(refused, 'invalid_api_key')
    expect(refused.headers.ratelimit).toBeUndefined()
  })

  test('writes nothing once its limit is reached, until the next minute', async () => {
    const token = await limited(1)
    const counted = async () =>
      (await callsDuring(async () => statuses.push((await use(token)).status))).filter(({ rows }) => isCounter(rows))
    const statuses: number[] = []
    expect(await counted()).toHaveLength(1)
    expect(await counted()).toEqual([])
    const { headers } = await use(token)
    vi.setSystemTime(start + 59_000)
    expect(await counted()).toEqual([])
    expect((await use(token)).headers).toMatchObject({ ...headers, ...later })
    vi.setSystemTime(start + 60_000)
    expect(await counted()).toHaveLength(1)
    expect(statuses).toEqual([200, 429, 429, 200])
  })

  test('a denied attempt beyond the limit is not recorded: a flood does not fill the trail', async () => {
    const token = await limited(2)
    const attempts = [
      () => invoke('api-keys/create', { token, body: { name: 'x', scopes: ['keys:read'] } }),
      () => invoke('org-policies/update', { token, body: { privacy_mode: 'strict' } }),
      () => invoke('org-settings/update', { token, body: { mfa_required: false } }),
    ]
    const answers = []
    for (const attempt of attempts) answers.push((await attempt()).status)
    expect(answers).toEqual([403, 403, 429])
    const { body } = await invoke('audit-events/list', { token: org.adminKey, query: { limit: '10' } })
    const denials = body.data.filter(({ result }: { result: string }) => result === 'denied')
    expect(denials).toHaveLength(2)
  })
})

describe('leases', () => {
  const usedBefore = (keyId: string, count: number) =>
    putRow({ pk: `ORG#${org.orgId}#RATE#${keyId}`, sk: String(start / 1000), count })
  const makeLimited = (rate_limit_per_minute: number) => makeKey(org, { rate_limit_per_minute })

  test('of a busy caller cost a write for many requests', async () => {
    const { api_key } = await makeLimited(100_000)
    const requests = 100
    const calls = await callsDuring(async () => {
      for (let count = 1; count <= requests; count++)
        expect((await use(api_key)).headers.ratelimit).toBe(`"default";r=${100_000 - count};t=60`)
    })
    expect(calls.filter(({ rows }) => isCounter(rows)).length).toBeLessThanOrEqual(7)
  })

  test('let eight callers at once have exactly the rest of the limit, and refuse all others until the minute ends', async () => {
    const [limit, left] = [40_000, 40]
    const { id, api_key } = await makeLimited(limit)
    await usedBefore(id, limit - left)
    vi.setSystemTime(start + 10_000)
    const caller = async () => {
      const answers = []
      for (let count = 0; count < 12; count++) answers.push(await use(api_key))
      return answers
    }
    const answers = (await Promise.all(Array.from({ length: 8 }, caller))).flat()
    const [passed, refused] = [200, 429].map((wanted) => answers.filter(({ status }) => status === wanted))
    expect([passed?.length, refused?.length]).toEqual([left, answers.length - left])
    for (const { headers } of passed ?? []) expect(headers.ratelimit).toMatch(/^"default";r=\d+;t=50$/)
    for (const answer of refused ?? []) {
      expectProblem(answer, 'rate_limited')
      expect(answer.headers).toMatchObject({ ratelimit: '"default";r=0;t=50', 'retry-after': '50' })
    }
    vi.setSystemTime(start + 60_000)
    expect((await use(api_key)).headers.ratelimit).toBe(`"default";r=${limit - 1};t=60`)
  })

  test('are counted against the limit of the record: a raised one lets the next request through, a lowered one refuses it', async () => {
    const { id, api_key } = await makeLimited(2)
    const setLimit = async (rate_limit_per_minute: number) => {
      for (const row of await rowsOf(org.orgId, `KEY#${id}`)) await putRow({ ...row, rate_limit_per_minute })
    }
    const statuses = async (count: number) => {
      const all = []
      for (let n = 0; n < count; n++) all.push((await use(api_key)).status)
      return all
    }
    expect(await statuses(3)).toEqual([200, 200, 429])
    await setLimit(5)
    expect(await statuses(4)).toEqual([200, 200, 200, 429])
    await setLimit(4)
    const { status, headers } = await use(api_key)
    expect([status, headers['ratelimit-policy']]).toEqual([429, '"default";q=4;w=60'])
  })
})

describe('several processes', () => {
  const window = new Date(minute)
  const later = (ms: number) => new Date(minute + ms)

  /** Processes that share the count of a table. The count can fail, and answers after a pause. */
  function processes(count: number, pauseMs = 0) {
    const counts = new Map<string, number>()
    const table = { writes: 0, isBroken: false, counts }
    const add = async ({ sk }: { sk: string }, requests: number) => {
      table.writes++
      await new Promise((resolve) => (pauseMs === 0 ? setImmediate(resolve) : setTimeout(resolve, pauseMs)))
      if (table.isBroken) throw new Error('a fault of the test')
      const sum = (counts.get(sk) ?? 0) + requests
      counts.set(sk, sum)
      return sum
    }
    return { table, count: Array.from({ length: count }, () => rateCounters(add)) }
  }
  const ofLimit = (limit: number) => ({ orgId: 'org_x', principal: 'key_x', limit })
  const passes = (place: { count: number } | undefined, limit: number) => place !== undefined && place.count <= limit

  test('never let through more than the limit, and each place goes to one request', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.record({ process: fc.nat(4), burst: fc.integer({ min: 1, max: 60 }), ms: fc.nat(59_999) }), {
          maxLength: 12,
        }),
        async (limit, size, bursts) => {
          const { count } = processes(size)
          const places: number[] = []
          const at = bursts.sort((a, b) => a.ms - b.ms)
          await Promise.all(
            at.flatMap(({ process, burst, ms }) =>
              Array.from({ length: burst }, async () => {
                const place = await count[process % size]?.(ofLimit(limit), later(ms))
                if (place && place.count <= limit) places.push(place.count)
              }),
            ),
          )
          expect(new Set(places).size).toBe(places.length)
          expect(places.length).toBeLessThanOrEqual(limit)
        },
      ),
      { numRuns: 200 },
    )
  })

  test.each([1, 20, 39])('let exactly the limit through if it is as low as %i', async (limit) => {
    const { count } = processes(4)
    const answers = await Promise.all(
      Array.from({ length: limit * 3 }, (_, index) => count[index % 4]?.(ofLimit(limit), window)),
    )
    expect(answers.filter((place) => passes(place, limit))).toHaveLength(limit)
  })

  test('lose little of a high limit to leases that are not used up', async () => {
    const limit = 100_000
    const { count, table } = processes(50)
    let passed = 0
    // 50 processes, each with 1,500 requests spread over the minute.
    for (let ms = 0; ms < 60_000; ms += 40)
      for (const each of count) if (passes(await each(ofLimit(limit), later(ms)), limit)) passed++
    expect(passed).toBe(75_000)
    expect([...table.counts.values()][0]).toBeLessThan(90_000)
    expect(table.writes / passed).toBeLessThan(0.05)
  })

  test('count a new window from nothing, also while a lease of the last one is on its way', async () => {
    const { count, table } = processes(1, 5)
    const [old, fresh] = await Promise.all([
      count[0]?.(ofLimit(3), later(59_900)),
      count[0]?.(ofLimit(3), later(60_100)),
    ])
    expect([old, fresh]).toEqual([
      { count: 1, resetSeconds: 1 },
      { count: 1, resetSeconds: 60 },
    ])
    expect([...table.counts.values()]).toEqual([1, 1])
  })

  test('let requests through uncounted while the count fails, and count again afterwards', async () => {
    const { count, table } = processes(1)
    table.isBroken = true
    expect(await Promise.all([1, 2, 3].map(() => count[0]?.(ofLimit(1), window)))).toEqual(Array(3).fill(undefined))
    table.isBroken = false
    expect(await count[0]?.(ofLimit(1), window)).toMatchObject({ count: 1 })
    expect(passes(await count[0]?.(ofLimit(1), window), 1)).toBe(false)
  })

  test('have one write of a principal on its way at a time: what arrives meanwhile shares the next', async () => {
    const { count, table } = processes(1, 5)
    const places = await Promise.all(Array.from({ length: 40 }, () => count[0]?.(ofLimit(20), window)))
    expect(places.filter((place) => passes(place, 20))).toHaveLength(20)
    expect(table.writes).toBe(2)
  })
})
