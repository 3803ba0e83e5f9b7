import { TransactionCanceledException, TransactionConflictException } from '@aws-sdk/client-dynamodb'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { operations } from '../../../functions/operations.ts'
import { newId } from '../../../shared/ids.ts'
import { interceptTable } from '../../support/faults.ts'
import { trailEnd } from '../../support/governance.ts'
import { eventFor, invoke, invokeEvent } from '../../support/invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg, tokenFor } from '../../support/orgs.ts'
import { expectProblem, faultPaths } from '../../support/problems.ts'
import { allHealth, counted, deleteTarget, healthOf, holdClock, makeTarget, putTargets, report } from './targets.ts'

const many = (count: number): number[] => Array.from({ length: count }, (_, at) => at)

let org: TestOrg
let target_id: string
beforeAll(async () => {
  org = await makeBusyOrg()
})
beforeEach(async () => {
  target_id = await makeTarget(org)
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
})

describe('a report', () => {
  test('is counted for local targets, connections and credentials alike, in the order of the list', async () => {
    const own = await makeBusyOrg()
    const { local, connections, credentials } = await putTargets(own.orgId, {
      local: 2,
      connections: 1,
      credentials: 1,
    })
    const ids = [...connections, ...credentials, ...local]
    await counted(
      own,
      ids.map((id, at) => ({ target_id: id, started: 10, succeeded: 3, failed: 1, inflight: at + 1 })),
    )
    const { data } = await allHealth(own)
    expect(data.map(({ target_id: id, kind }: { target_id: string; kind: string }) => [id, kind])).toEqual([
      [local[1], 'local'],
      [local[0], 'local'],
      [connections[0], 'connection'],
      [credentials[0], 'credential'],
    ])
    for (const { target_id: id, inflight, ...rest } of data) {
      expect(inflight).toBe(ids.indexOf(id) + 1)
      expect(rest).toMatchObject({ sample_count: 4, success_rate: 0.75, failure_rate: 0.25, stale: false })
    }
  })

  test('is no event of the org, which its number would bury', async () => {
    const end = await trailEnd(org)
    await counted(org, { target_id, failed: 50, retry_after_seconds: 5 })
    expect(await trailEnd(org)).toBe(end)
  })

  test('of one target twice in a batch is one: counts are added, the last gauge counts', async () => {
    await counted(org, [
      { target_id, started: 2, succeeded: 1, inflight: 9 },
      { target_id, started: 3, failed: 1, inflight: 4 },
    ])
    expect(await healthOf(org, target_id)).toMatchObject({ sample_count: 2, success_rate: 0.5, inflight: 4 })
  })

  test('of one target twice in a batch has the latency of both, each as often as requests ended', async () => {
    await counted(org, [
      { target_id, succeeded: 10, latency_ms_p50: 100 },
      { target_id, succeeded: 30, latency_ms_p50: 300 },
      { target_id, succeeded: 500 },
    ])
    expect((await healthOf(org, target_id)).latency_ms_p50).toBe(250)
  })

  test('of the target that the deployment names is counted where it names one', async () => {
    expect(faultPaths(await report(org, { target_id: 'env', started: 1 }))).toEqual(['reports.0.target_id'])
    vi.stubEnv('LOCAL_RUNTIME_URL', 'http://127.0.0.1:11434')
    await counted(org, [
      { target_id: 'env', started: 1, succeeded: 1, inflight: 3 },
      { target_id, succeeded: 1 },
    ])
    expect(await healthOf(org, 'env')).toMatchObject({ kind: 'local', sample_count: 1, inflight: 3 })
    const other = await makeBusyOrg()
    expect(await healthOf(other, 'env')).toMatchObject({ sample_count: 0, inflight: 0, stale: true })
  })

  test.each<[string, unknown]>([
    ['reports.0.target_id', { target_id: 'key_01jd3v7k3q9x5m2n8r4t6w0y1z' }],
    ['reports.0.target_id', { target_id: 'ENV' }],
    ['reports.0.started', { started: -1 }],
    ['reports.0.started', { started: undefined }],
    ['reports.0.succeeded', { succeeded: 0.5 }],
    ['reports.0.failed', { failed: 1_000_001 }],
    ['reports.0.inflight', { inflight: null }],
    ['reports.0.latency_ms_p50', { latency_ms_p50: -1 }],
    ['reports.0.latency_ms_p50', { latency_ms_p50: 3_600_001 }],
    ['reports.0.retry_after_seconds', { retry_after_seconds: 86_401 }],
    ['reports.0.retry_after_seconds', { retry_after_seconds: 1.5 }],
    ['reports.0.latency', { latency: 5 }],
  ])('is 400 naming %s for %j', async (path, fields) => {
    const refused = await report(org, { target_id, ...(fields as object) })
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual([path])
  })

  test('is one of 1 to 100 in a batch, of a reporter whose id is a reference', async () => {
    expect(faultPaths(await report(org, []))).toEqual(['reports'])
    expect(
      faultPaths(
        await report(
          org,
          many(101).map(() => ({ target_id })),
        ),
      ),
    ).toEqual(['reports'])
    expect(
      (
        await report(
          org,
          many(100).map(() => ({ target_id, started: 1 })),
        )
      ).body,
    ).toEqual({ accepted: 100 })
    for (const reporter of ['a b', '-a', 'x'.repeat(129)])
      expect(faultPaths(await report(org, { target_id }, { reporter }))).toEqual(['reporter_id'])
  })
})

describe('a batch with an unknown target', () => {
  test('is 400 naming each such report, and nothing of it is counted', async () => {
    const other = await makeBusyOrg()
    const deleted = await makeTarget(org)
    expect((await deleteTarget(org, deleted)).status).toBe(204)
    const foreign = await putTargets(other.orgId, { local: 1, connections: 1, credentials: 1 })
    const unknown = [
      ...[deleted, newId('tgt'), newId('conn'), newId('cred'), 'env'],
      ...[...foreign.local, ...foreign.connections, ...foreign.credentials],
    ]
    const batch = [target_id, ...unknown, target_id].map((id) => ({ target_id: id, started: 5, succeeded: 5 }))
    const refused = await report(org, batch)
    expectProblem(refused, 'invalid_input')
    expect(faultPaths(refused)).toEqual(unknown.map((_, index) => `reports.${index + 1}.target_id`))
    for (const { code } of refused.body.errors) expect(code).toBe('unknown_target')
    expect(await healthOf(org, target_id)).toMatchObject({ sample_count: 0, request_rate_per_minute: 0, stale: true })
    for (const { sample_count } of (await allHealth(other)).data) expect(sample_count).toBe(0)
  })

  test('of a hundred targets is refused for the one, and taken without it', async () => {
    const own = await makeBusyOrg()
    const { local } = await putTargets(own.orgId, { local: 99 })
    const reports = [...local, newId('tgt')].map((id) => ({ target_id: id, succeeded: 1 }))
    expect(faultPaths(await report(own, reports))).toEqual(['reports.99.target_id'])
    expect((await allHealth(own)).data.some(({ stale }: { stale: boolean }) => !stale)).toBe(false)
    const last = await makeTarget(own)
    await counted(own, [...reports.slice(0, 99), { target_id: last, succeeded: 1 }])
    const { data } = await allHealth(own)
    expect(data.map(({ sample_count }: { sample_count: number }) => sample_count)).toEqual(many(100).map(() => 1))
  })

  test('that exists only half in the first answer of the table is looked up to the end', async () => {
    const own = await makeBusyOrg()
    const { local } = await putTargets(own.orgId, { local: 3 })
    const { table } = await import('../../../shared/table/client.ts')
    let asked = 0
    table().middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const input = args.input as { RequestItems?: Record<string, { Keys: unknown[] }> }
          const [[name, request] = []] = Object.entries(input.RequestItems ?? {})
          if (commandName !== 'BatchGetItemCommand' || !name || !request || asked++ > 0) return next(args)
          const [first, ...others] = request.Keys
          const half = { ...args, input: { ...input, RequestItems: { [name]: { ...request, Keys: [first] } } } }
          const result = await next(half as typeof args)
          Object.assign(result.output, { UnprocessedKeys: { [name]: { ...request, Keys: others } } })
          return result
        },
      { step: 'initialize', priority: 'low', name: 'halfAnswers' },
    )
    try {
      await counted(
        own,
        local.map((id) => ({ target_id: id, succeeded: 1 })),
      )
    } finally {
      table().middlewareStack.remove('halfAnswers')
    }
    expect(asked).toBe(2)
  })
})

describe('reports at once', () => {
  test('of 100 reporters on one target are all counted, and requests in flight are their sum', async () => {
    holdClock()
    await Promise.all(
      many(100).map((at) =>
        counted(
          org,
          { target_id, started: 7, succeeded: 3, failed: 1, inflight: at, latency_ms_p50: 40 },
          { reporter: `server-${at}` },
        ),
      ),
    )
    expect(await healthOf(org, target_id)).toMatchObject({
      // 700 in the 240 s since the window began.
      request_rate_per_minute: 175,
      sample_count: 400,
      success_rate: 0.75,
      failure_rate: 0.25,
      inflight: 4950,
      latency_ms_p50: 40,
      stale: false,
    })
  })

  test('of one reporter a hundred times are all counted, and its gauge is one of them', async () => {
    await Promise.all(many(100).map((at) => counted(org, { target_id, started: 1, succeeded: 1, inflight: at })))
    const { sample_count, inflight } = await healthOf(org, target_id)
    expect(sample_count).toBe(100)
    expect(inflight).toBeLessThan(100)
  })

  test('of 30 reporters on the same ten targets in any order are counted to the last, each batch whole', async () => {
    const own = await makeBusyOrg()
    const { local } = await putTargets(own.orgId, { local: 10 })
    const unknown = newId('tgt')
    const answers = await Promise.all(
      many(30).map((at) => {
        const ids = at % 2 ? local : [...local].reverse()
        const rotated = [...ids.slice(at % 10), ...ids.slice(0, at % 10)]
        // Every third batch contains a target that does not exist.
        const batch = at % 3 === 0 ? [...rotated, unknown] : rotated
        const reports = batch.map((id) => ({ target_id: id, started: 2, succeeded: 1, inflight: 1 }))
        return report(own, reports, { reporter: `server-${at}` })
      }),
    )
    expect(answers.map(({ status }) => status)).toEqual(many(30).map((at) => (at % 3 === 0 ? 400 : 202)))
    for (const health of (await allHealth(own)).data)
      expect(health).toMatchObject({ sample_count: 20, inflight: 20, success_rate: 1 })
  })
})

describe('a race that is lost', () => {
  const conflict = (writes: number) =>
    new TransactionCanceledException({
      message: 'lost',
      $metadata: {},
      CancellationReasons: many(writes).map((at) => ({ Code: at === 0 ? 'TransactionConflict' : 'None' })),
    })

  test('of a batch or of a single report is run again, and counted once', async () => {
    const second = await makeTarget(org)
    let lost = 0
    await interceptTable(
      async ({ command, rows }, send) => {
        const counts = rows.some((row) => / B#\d+#/.test(row))
        if (!counts || lost++ % 3 === 2) return send()
        throw command === 'TransactWriteItemsCommand'
          ? conflict(rows.length)
          : new TransactionConflictException({ message: 'lost', $metadata: {} })
      },
      async () => {
        await counted(
          org,
          [target_id, second].map((id) => ({ target_id: id, succeeded: 1 })),
        )
        await counted(org, { target_id, succeeded: 1 })
      },
    )
    expect(lost).toBe(6)
    expect((await healthOf(org, target_id)).sample_count).toBe(2)
    expect((await healthOf(org, second)).sample_count).toBe(1)
  })

  test('until the time is up is 503, which may be tried again, and counts nothing', async () => {
    const second = await makeTarget(org)
    const reports = [target_id, second].map((id) => ({
      ...{ target_id: id, started: 0, succeeded: 1, failed: 0, inflight: 0 },
    }))
    const event = eventFor(operations['execution/report'], { token: org.adminKey, body: { reports } })
    const answer = await interceptTable(
      async ({ command, rows }, send) => {
        if (command === 'TransactWriteItemsCommand') throw conflict(rows.length)
        return send()
      },
      () => invokeEvent('execution/report', event, { getRemainingTimeInMillis: () => 1800 }),
    )
    expectProblem(answer, 'service_unavailable')
    expect(answer.body.retryable).toBe(true)
    expect((await healthOf(org, target_id)).sample_count).toBe(0)
  })
})

describe('an answer of the table that is lost on the way', () => {
  test.each([1, 2])('does not count a report of %i targets twice', async (targets) => {
    const { table } = await import('../../../shared/table/client.ts')
    const ids = [target_id, await makeTarget(org)].slice(0, targets)
    let sent = 0
    table().middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const text = JSON.stringify(args.input)
          const isCount = /Update|Transact/.test(String(commandName)) && text.includes('latency_sum_ms')
          if (isCount) sent++
          const result = await next(args)
          if (!isCount || sent > 1) return result
          throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET', name: 'TimeoutError' })
        },
      { step: 'finalizeRequest', priority: 'low', name: 'lostAnswers' },
    )
    try {
      await counted(
        org,
        ids.map((id) => ({ target_id: id, succeeded: 1 })),
      )
    } finally {
      table().middlewareStack.remove('lostAnswers')
    }
    expect(sent).toBe(2)
    for (const id of ids) expect((await healthOf(org, id)).sample_count).toBe(1)
  })
})

describe('a report with an Idempotency-Key', () => {
  const once = { headers: { 'idempotency-key': 'report-1' } }

  test('is counted once, however often it is sent, and replayed', async () => {
    const first = await report(org, { target_id, succeeded: 3, inflight: 2 }, once)
    const second = await report(org, { target_id, succeeded: 3, inflight: 2 }, once)
    expect([first.status, second.status, second.text]).toEqual([202, 202, first.text])
    expect(second.headers['idempotency-replayed']).toBe('true')
    expect((await healthOf(org, target_id)).sample_count).toBe(3)
    expectProblem(await report(org, { target_id, succeeded: 4 }, once), 'idempotency_mismatch')
  })

  test('is counted once by ten that are sent at once', async () => {
    const sent = { headers: { 'idempotency-key': 'report-2' } }
    const answers = await Promise.all(many(10).map(() => report(org, { target_id, succeeded: 3 }, sent)))
    for (const { status } of answers) expect([202, 409]).toContain(status)
    expect((await healthOf(org, target_id)).sample_count).toBe(3)
  })

  test('is not counted again by a retry when its cooldown could not be moved', async () => {
    const sent = { headers: { 'idempotency-key': 'report-3' } }
    const failing = { target_id, failed: 20 }
    let failures = 0
    await interceptTable(
      async ({ rows }, send) => {
        if (!rows.some((row) => / C#/.test(row))) return send()
        failures++
        throw Object.assign(new Error('a fault of the test'), { name: 'InternalServerError' })
      },
      () => report(org, failing, sent),
    )
    expect(failures).toBeGreaterThan(0)
    expect((await report(org, failing, sent)).status).toBe(202)
    expect((await healthOf(org, target_id)).sample_count).toBe(20)
  })
})

describe('who may report', () => {
  test('needs telemetry:write, which app keys and publishable keys hold too, and which allows no read', async () => {
    const appKey = await makeKey(org, {}, 'api-keys/create-app-key')
    const pageKey = await makeKey(org, { scopes: ['telemetry:write'] }, 'api-keys/create-publishable-key')
    const serverKey = await makeKey(org, { scopes: ['telemetry:write'] })
    for (const { api_key } of [appKey, pageKey, serverKey]) {
      await counted({ adminKey: api_key }, { target_id, succeeded: 1, inflight: 2 })
      for (const name of ['execution/health', 'execution/get', 'execution/get-routing'] as const)
        expectProblem(await invoke(name, { token: api_key }), 'forbidden')
      expectProblem(await invoke('execution/list-local-targets', { token: api_key }), 'forbidden')
    }
    // Each key is a reporter of its own where the body names none.
    expect(await healthOf(org, target_id)).toMatchObject({ sample_count: 3, inflight: 6 })
  })

  test('is neither a member nor a key that manages targets', async () => {
    const manager = await makeKey(org, { scopes: ['execution:read', 'execution:write'] })
    for (const token of [manager.api_key, await tokenFor(org.orgId, 'member')])
      expectProblem(await report({ adminKey: token }, { target_id, succeeded: 1 }), 'forbidden')
    expectProblem(await report({ adminKey: 'nobody' }, { target_id, succeeded: 1 }), 'authentication_failed')
    expect((await healthOf(org, target_id)).sample_count).toBe(0)
  })

  test('is a person too, whose id may hold any character', async () => {
    const token = await tokenFor(org.orgId, 'owner', 600, { sub: 'auth0|a.b#c:ü "d"' })
    await counted({ adminKey: token }, { target_id, succeeded: 1, inflight: 5 })
    expect(await healthOf(org, target_id)).toMatchObject({ sample_count: 1, inflight: 5 })
  })
})

describe('more than 200 reporters of one target in a minute', () => {
  test('are refused with 409, those that are known go on, and nothing that was counted is lost', async () => {
    holdClock()
    const other = await makeTarget(org)
    for (let start = 0; start < 200; start += 50) {
      await Promise.all(
        many(50).map((at) => counted(org, { target_id, succeeded: 1, inflight: 1 }, { reporter: `r${start + at}` })),
      )
    }
    const refused = await report(org, { target_id, succeeded: 1, inflight: 1 }, { reporter: 'one-more' })
    expectProblem(refused, 'conflict')
    const batch = [other, target_id].map((id) => ({ target_id: id, succeeded: 1 }))
    expectProblem(await report(org, batch, { reporter: 'one-more' }), 'conflict')
    await counted(org, { target_id, succeeded: 1, inflight: 3 }, { reporter: 'r7' })
    expect(await healthOf(org, target_id)).toMatchObject({ sample_count: 201, inflight: 202, success_rate: 1 })
    expect(await healthOf(org, other)).toMatchObject({ sample_count: 0, stale: true })
  })

  test('publishable keys, which are public, get half of the places', async () => {
    holdClock()
    const { api_key } = await makeKey(org, { rate_limit_per_minute: 100_000 }, 'api-keys/create-publishable-key')
    const page = { adminKey: api_key }
    for (let start = 0; start < 100; start += 50) {
      await Promise.all(
        many(50).map((at) => counted(page, { target_id, succeeded: 1 }, { reporter: `page-${start + at}` })),
      )
    }
    expectProblem(await report(page, { target_id, succeeded: 1 }, { reporter: 'one-page-more' }), 'conflict')
    await counted(org, { target_id, succeeded: 1 }, { reporter: 'a-server' })
  })
})

describe('numbers of any size that a report may hold', () => {
  const most = 1_000_000

  test('are taken in again and again without breaking the health of the org', async () => {
    const own = await makeBusyOrg()
    const id = await makeTarget(own)
    const largest = { target_id: id, started: most, succeeded: most, failed: most, inflight: most }
    for (const _ of many(3)) await counted(own, { ...largest, latency_ms_p50: 3_600_000 })
    expect(await healthOf(own, id)).toMatchObject({
      sample_count: 6 * most,
      success_rate: 0.5,
      latency_ms_p50: 3_600_000,
      inflight: most,
    })
  })

  test('are still read when a fraction stands behind the largest', async () => {
    const own = await makeBusyOrg()
    const id = await makeTarget(own)
    for (const _ of many(2))
      await counted(own, { target_id: id, succeeded: most, failed: most, latency_ms_p50: 3_600_000 })
    await counted(own, { target_id: id, succeeded: 1, latency_ms_p50: 0.5 })
    // One request among four million and one.
    expect((await healthOf(own, id)).latency_ms_p50).toBe(3_599_999)
  })

  test('are taken in from a batch that names one target a hundred times', async () => {
    const own = await makeBusyOrg()
    const id = await makeTarget(own)
    const largest = { target_id: id, started: most, succeeded: most, inflight: most, latency_ms_p50: 3_600_000 }
    await counted(
      own,
      many(100).map(() => largest),
    )
    expect(await healthOf(own, id)).toMatchObject({ sample_count: 100 * most, latency_ms_p50: 3_600_000 })
  })

  test.each([1e-200, 0.1, 1 / 3, 1e-20])('are taken in with a latency of %d ms', async (latency_ms_p50) => {
    const own = await makeBusyOrg()
    const id = await makeTarget(own)
    await counted(own, { target_id: id, succeeded: 3, latency_ms_p50 })
    await counted(own, { target_id: id, succeeded: most, latency_ms_p50: 1_000_000 / 3 })
    expect(Number.isSafeInteger((await healthOf(own, id)).latency_ms_p50)).toBe(true)
  })
})
