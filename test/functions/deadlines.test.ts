/** A dependency that does not answer causes a time-out. Each test waits for seconds, so they run concurrently. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { billingOf } from '../support/billing.ts'
import { makeBusyOrg, type TestOrg } from '../support/orgs.ts'
import { drip, startProvider, type TestProvider } from '../support/provider.ts'
import { putRow, rowsOf } from '../support/rows.ts'
import { withStripeFault } from '../support/stripe.ts'
import { connectionsOf } from './cloud-connections/connections.ts'
import { makeTarget, testTarget } from './execution/targets.ts'

let org: TestOrg
let slow: TestProvider
let silent: TestProvider
beforeAll(async () => {
  org = await makeBusyOrg()
  slow = await startProvider(drip)
  silent = await startProvider(() => undefined)
  process.env.PROVIDER_BASE_URLS = `openai=${slow.url}/v1`
})
afterAll(() => {
  for (const provider of [slow, silent]) provider.close()
})

async function timed<T>(run: () => Promise<T>): Promise<{ value: T; tookMs: number }> {
  const started = performance.now()
  const value = await run()
  return { value, tookMs: performance.now() - started }
}

describe.concurrent('given up in time', () => {
  test('creating a connection, when the provider says it drop by drop', async () => {
    const create = () =>
      connectionsOf(org).create({ provider: 'openai', name: 'slow', api_key: 'sk-proj-Zx81Kq07Wm53Tn29Rb64' })
    const { value, tookMs } = await timed(create)
    const { status, body } = value
    expect([status, body.verification_status]).toEqual([201, 'unreachable'])
    expect(body.verification_error).toMatch(/^127\.0\.0\.1:\d+ did not answer in time\.$/)
    expect(tookMs).toBeGreaterThan(9000)
    expect(tookMs).toBeLessThan(13_000)
  })

  test.each([
    ['does not answer', () => silent],
    ['never ends its answer', () => slow],
  ])('the test of a local target that %s, after 10 s', async (_how, runtime) => {
    const id = await makeTarget(org, { endpoint: runtime().url })
    const { value, tookMs } = await timed(() => testTarget(org, id))
    const { status, body } = value
    expect([status, body]).toEqual([
      200,
      {
        success: false,
        status_code: null,
        latency_ms: expect.any(Number),
        error: expect.stringMatching(/did not answer in time/),
      },
    ])
    expect(body.latency_ms).toBeGreaterThanOrEqual(9990)
    expect(tookMs).toBeLessThan(14_000)
  })

  test('a list of invoices, before a person goes away, when Stripe hangs', async () => {
    const billing = billingOf(org)
    await billing.subscribe()
    await billing.invoices()
    const [copy] = await rowsOf(org.orgId, 'CACHE#INVOICES#')
    if (!copy) throw new Error('there is no copy')
    await putRow({ ...copy, cached_at_ms: Number(copy.cached_at_ms) - 300_000 })
    const { value, tookMs } = await timed(() => withStripeFault({ kind: 'timeout' }, () => billing.invoices()))
    expect(value.body.stale).toBe(true)
    expect(tookMs).toBeLessThan(12_000)
  })
})
