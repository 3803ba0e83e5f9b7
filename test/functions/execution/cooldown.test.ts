import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeBusyOrg, type TestOrg } from '../../support/orgs.ts'
import { at, counted, healthOf, holdClock, makeTarget, setRouting, type TestReport, timeAt } from './targets.ts'

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

const reported = (fields: Omit<TestReport, 'target_id'>, reporter?: string) =>
  counted(org, { target_id, ...fields }, { reporter })
const cooldown = async () => (await healthOf(org, target_id)).cooldown

const closed = { active: false, until: null, reason: null, trial: false }
const trial = { ...closed, trial: true }
const openUntil = (seconds: number, reason: string) => ({ active: true, until: timeAt(seconds), reason, trial: false })

describe('a cooldown is opened', () => {
  test('by ten requests of which half failed, for the cooldown of the routing', async () => {
    at(5)
    await reported({ succeeded: 5, failed: 4 })
    expect(await cooldown()).toEqual(closed)
    await reported({ failed: 1 })
    expect(await cooldown()).toEqual(openUntil(65, 'failure_rate'))
    at(64.999)
    expect(await cooldown()).toEqual(openUntil(65, 'failure_rate'))
    at(65)
    expect(await cooldown()).toEqual(trial)
  })

  test('not by fewer than ten, nor by less than half of many', async () => {
    await reported({ failed: 9 })
    expect(await cooldown()).toEqual(closed)
    const other = await makeTarget(org)
    await counted(org, { target_id: other, succeeded: 51, failed: 49 })
    expect((await healthOf(org, other)).cooldown).toEqual(closed)
  })

  test('not by a report without failures, after any earlier reports', async () => {
    await setRouting(org, { cooldown_seconds: 0 })
    await reported({ failed: 20 })
    await setRouting(org, { cooldown_seconds: 60 })
    await reported({ succeeded: 1 })
    expect(await cooldown()).toEqual(closed)
  })

  test('by the sum of all reports in this minute and the previous one, and not by older ones', async () => {
    at(10)
    await reported({ failed: 9 }, 'a')
    at(130)
    await reported({ failed: 1 }, 'b')
    expect(await cooldown()).toEqual(closed)
    at(185)
    await reported({ failed: 9 }, 'c')
    expect(await cooldown()).toEqual(openUntil(245, 'failure_rate'))
  })

  test('by what the target asks for itself, without any failure, and longer than the routing says', async () => {
    await reported({ retry_after_seconds: 300 })
    expect(await cooldown()).toEqual(openUntil(300, 'retry_after'))
  })

  test('by the later of both', async () => {
    await reported({ failed: 10, retry_after_seconds: 30 })
    expect(await cooldown()).toEqual(openUntil(60, 'failure_rate'))
    const other = await makeTarget(org)
    await counted(org, { target_id: other, failed: 10, retry_after_seconds: 90 })
    expect((await healthOf(org, other)).cooldown).toEqual(openUntil(90, 'retry_after'))
  })

  test('only by Retry-After where cooldown_seconds is 0', async () => {
    await setRouting(org, { cooldown_seconds: 0 })
    await reported({ failed: 1000 })
    expect(await cooldown()).toEqual(closed)
    await reported({ failed: 1, retry_after_seconds: 7 })
    expect(await cooldown()).toEqual(openUntil(7, 'retry_after'))
  })

  test('of each target of a batch by its own failures', async () => {
    const [second, third] = [await makeTarget(org), await makeTarget(org)]
    await counted(org, [
      { target_id, failed: 10 },
      { target_id: second, succeeded: 10 },
      { target_id: third, retry_after_seconds: 20 },
    ])
    expect(await cooldown()).toEqual(openUntil(60, 'failure_rate'))
    expect((await healthOf(org, second)).cooldown).toEqual(closed)
    expect((await healthOf(org, third)).cooldown).toEqual(openUntil(20, 'retry_after'))
  })
})

describe('the deadline of a cooldown', () => {
  test('is only ever moved to a later one', async () => {
    await reported({ retry_after_seconds: 300 })
    at(10)
    await reported({ retry_after_seconds: 20, failed: 20 })
    expect(await cooldown()).toEqual(openUntil(300, 'retry_after'))
    await reported({ succeeded: 1000 })
    expect(await cooldown()).toEqual(openUntil(300, 'retry_after'))
    await reported({ retry_after_seconds: 291 })
    expect(await cooldown()).toEqual(openUntil(301, 'retry_after'))
  })

  test('is the latest of twenty failing reports at once', async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        reported({ failed: 10, retry_after_seconds: 61 + ((index * 7) % 20) }, `server-${index}`),
      ),
    )
    expect(await cooldown()).toEqual(openUntil(80, 'retry_after'))
    expect((await healthOf(org, target_id)).sample_count).toBe(200)
  })

  test('is one and the same of twenty at once that ask for nothing themselves', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => reported({ failed: 10 }, `server-${index}`)))
    expect(await cooldown()).toEqual(openUntil(60, 'failure_rate'))
  })
})

describe('after a cooldown', () => {
  beforeEach(async () => {
    at(0)
    await reported({ failed: 20 })
    at(60)
    expect(await cooldown()).toEqual(trial)
  })

  test('one failure immediately opens the next, at any failure rate', async () => {
    await reported({ succeeded: 99, failed: 1 })
    expect(await cooldown()).toEqual(openUntil(120, 'trial_failed'))
  })

  test('a report of nothing decides nothing', async () => {
    await reported({ started: 3, inflight: 3 })
    expect(await cooldown()).toEqual(trial)
  })

  test('one success closes it, and what failed before is not counted again', async () => {
    at(61)
    await reported({ succeeded: 1 })
    expect(await cooldown()).toEqual(closed)
    // Within the two minutes that the share looks at are 20 failures, and 9 new ones are too few.
    await reported({ failed: 9 })
    expect(await cooldown()).toEqual(closed)
    await reported({ failed: 1 })
    expect(await cooldown()).toEqual(openUntil(121, 'failure_rate'))
  })

  test('what failed in the very minute of the success is not counted again either', async () => {
    at(60)
    await reported({ failed: 30 })
    expect(await cooldown()).toEqual(openUntil(120, 'trial_failed'))
    at(120)
    await setRouting(org, { cooldown_seconds: 5 })
    await reported({ failed: 30 })
    expect(await cooldown()).toEqual(openUntil(125, 'trial_failed'))
    at(125)
    await reported({ succeeded: 2 })
    expect(await cooldown()).toEqual(closed)
    await reported({ failed: 4, succeeded: 5 })
    expect(await cooldown()).toEqual(closed)
    await reported({ failed: 1 })
    expect(await cooldown()).toEqual(openUntil(130, 'failure_rate'))
  })

  test('a target that asks for more time gets it, though it succeeds', async () => {
    await reported({ succeeded: 5, retry_after_seconds: 30 })
    expect(await cooldown()).toEqual(openUntil(90, 'retry_after'))
  })

  test('it is forgotten after ten minutes without a report', async () => {
    at(659.999)
    expect(await cooldown()).toEqual(trial)
    at(660)
    expect(await cooldown()).toEqual(closed)
    await reported({ failed: 1 })
    expect(await cooldown()).toEqual(closed)
    await reported({ failed: 9 })
    expect(await cooldown()).toEqual(openUntil(720, 'failure_rate'))
  })

  test('a failed trial is followed by another one, and by a success in the end', async () => {
    for (const [seconds, until] of [
      [60, 120],
      [120, 180],
      [200, 260],
    ] as const) {
      at(seconds)
      await reported({ failed: 1 })
      expect(await cooldown()).toEqual(openUntil(until, 'trial_failed'))
    }
    at(260)
    await reported({ succeeded: 1 })
    expect(await cooldown()).toEqual(closed)
  })

  test('a success and a failure at once leave it open: the failure counts', async () => {
    await Promise.all([reported({ succeeded: 1 }, 'a'), reported({ failed: 1 }, 'b')])
    const found = await cooldown()
    // The one order is a success, then a failure too few to open anything.
    expect([openUntil(120, 'trial_failed'), closed]).toContainEqual(found)
    await reported({ failed: 10 })
    expect(await cooldown()).toMatchObject({ active: true, until: timeAt(120) })
  })
})

test('a cooldown of one org is none of another, whose target the deployment names', async () => {
  vi.stubEnv('LOCAL_RUNTIME_URL', 'http://127.0.0.1:11434')
  const other = await makeBusyOrg()
  await counted(org, { target_id: 'env', failed: 20 })
  expect((await healthOf(org, 'env')).cooldown).toEqual(openUntil(60, 'failure_rate'))
  expect((await healthOf(other, 'env')).cooldown).toEqual(closed)
  vi.unstubAllEnvs()
})
