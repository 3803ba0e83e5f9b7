import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { invoke } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, makeOrg, type TestOrg, testIssuer, tokenFor } from '../../support/orgs.ts'
import { expectProblem } from '../../support/problems.ts'

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

  test('ends with the minute: who waits as long as told is let through', async () => {
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

  test('counts what is refused too: 400, 403 and 404 carry the headers', async () => {
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

  test('is told before a 403, a 413, a 415, a 400 and a 404', async () => {
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

  test('is told after a 401: a dead key is refused as such, however often', async () => {
    const { id, api_key } = await makeKey(org, { rate_limit_per_minute: 1 })
    await use(api_key)
    expectProblem(await use(api_key), 'rate_limited')
    await invoke('api-keys/revoke', { token: org.adminKey, params: { key_id: id } })
    const refused = await use(api_key)
    expectProblem(refused, 'invalid_api_key')
    expect(refused.headers.ratelimit).toBeUndefined()
  })

  test('a denied attempt beyond the limit is not recorded: a flood does not fill the trail', async () => {
    const token = await limited(2)
    const attempt = () => invoke('api-keys/create', { token, body: { name: 'x', scopes: ['keys:read'] } })
    const answers = []
    for (let count = 0; count < 5; count++) answers.push((await attempt()).status)
    expect(answers).toEqual([403, 403, 429, 429, 429])
    const { body } = await invoke('audit-events/list', { token: org.adminKey, query: { limit: '10' } })
    const denials = body.data.filter(({ result }: { result: string }) => result === 'denied')
    expect(denials).toHaveLength(2)
  })
})
