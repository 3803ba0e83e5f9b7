import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { callsDuring } from '../../support/faults.ts'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, makeOrg, type TestOrg, testIssuer, tokenFor } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'
import { putRow } from '../../support/rows.ts'

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

  test('asks the table no more for who was refused in this minute, and again in the next', async () => {
    const token = await limited(1)
    const counted = async () =>
      (await callsDuring(async () => statuses.push((await use(token)).status))).filter(({ rows }) => isCounter(rows))
    const statuses: number[] = []
    expect([await counted(), await counted()].map(({ length }) => length)).toEqual([1, 1])
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

describe('a limit above the capacity of one row', () => {
  /** How often the key was used before, in each of its rows. */
  const usedBefore = async (keyId: string, counts: readonly number[]) => {
    const pks = counts.map((_count, index) => `ORG#${org.orgId}#RATE#${keyId}${counts.length > 1 ? `#${index}` : ''}`)
    for (const [index, pk] of pks.entries()) await putRow({ pk, sk: String(start / 1000), count: counts[index] })
  }
  const makeLimited = (rate_limit_per_minute: number) => makeKey(org, { rate_limit_per_minute })

  test.each([
    [30_000, 1],
    [30_001, 2],
    [100_000, 4],
  ])('of %i a minute is spread over %i rows, one write a request', async (limit, rows) => {
    const { api_key } = await makeLimited(limit)
    // Which row is chance: that one of four is missed is less likely than one in a million.
    const requests = 60
    const calls = await callsDuring(async () => {
      for (let count = 0; count < requests; count++) {
        expect((await use(api_key)).headers['ratelimit-policy']).toBe(`"default";q=${limit};w=60`)
      }
    })
    const written = calls.filter((call) => isCounter(call.rows)).flatMap((call) => call.rows)
    expect(written).toHaveLength(requests)
    expect(new Set(written).size).toBe(rows)
  })

  test('serves eight concurrent callers exactly up to the limit, and refuses all others until the minute ends', async () => {
    const limit = 40_000
    const left = 40
    const { id, api_key } = await makeLimited(limit)
    await usedBefore(id, Array(2).fill((limit - left) / 2))
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
    expect((await use(api_key)).headers.ratelimit).toBe(`"default";r=${limit - 2};t=60`)
  })

  test('is never exceeded, however unevenly its rows were filled', async () => {
    const { id, api_key } = await makeLimited(90_000)
    await usedBefore(id, [30_000, 29_998, 29_999])
    const statuses = []
    for (let count = 0; count < 60; count++) statuses.push((await use(api_key)).status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(3)
  })

  test('is kept by the replacement of a rotated key', async () => {
    const { id } = await makeLimited(100_000)
    const rotated = await invoke('api-keys/rotate', { token: org.adminKey, params: { key_id: id } })
    const calls = await callsDuring(async () => {
      for (let count = 0; count < 60; count++) await use(rotated.body.api_key)
    })
    expect(new Set(calls.filter(({ rows }) => isCounter(rows)).flatMap(({ rows }) => rows)).size).toBe(4)
  })
})
