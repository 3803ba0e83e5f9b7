import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Bucket,
  type Cooldown,
  type CooldownStep,
  cooldownStep,
  gaugeLifeMs,
  healthOf,
  minuteOf,
  openingVolume,
  type Reported,
  stateOf,
  trialLifeMs,
  windowMinutes,
  windowSeconds,
} from '../../../shared/execution/health.ts'

const start = Date.UTC(2031, 4, 6, 7, 8)
const startMinute = start / 60_000

/** One report as it comes in, `ms` after the one before. */
interface Incoming extends Reported {
  afterMs: number
  reporter: string
  started: number
  inflight: number
}

const few = fc.nat({ max: 15 })
const incoming: fc.Arbitrary<Incoming> = fc.record({
  afterMs: fc.oneof(fc.nat({ max: 5000 }), fc.nat({ max: 130_000 }), fc.nat({ max: 700_000 })),
  reporter: fc.constantFrom('a', 'b', 'c'),
  started: few,
  succeeded: fc.oneof(fc.constant(0), few),
  failed: fc.oneof(fc.constant(0), few),
  inflight: few,
  retryAfterSeconds: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 900 }) }),
})
const sequence = fc.array(incoming, { minLength: 1, maxLength: 40 })
const cooldownSeconds = fc.constantFrom(0, 1, 30, 60, 3600)

/** Counts a report as the table does, one bucket a minute. */
function countIn(
  buckets: Bucket[],
  { reporter, started, succeeded, failed, inflight }: Incoming,
  nowMs: number,
): Bucket[] {
  const minute = minuteOf(nowMs)
  const old = buckets.find((bucket) => bucket.minute === minute)
  const fresh: Bucket = {
    ...{ targetId: 't', minute, lastReportMs: nowMs },
    started: started + (old?.started ?? 0),
    succeeded: succeeded + (old?.succeeded ?? 0),
    failed: failed + (old?.failed ?? 0),
    ...{ tokens: 0, latencySumMs: 0, latencyCount: 0, untrusted: { succeeded: 0, failed: 0 } },
    gauges: new Map([...(old?.gauges ?? []), [reporter, { inflight, atMs: nowMs }]]),
  }
  return [...buckets.filter((bucket) => bucket !== old), fresh]
}

const after = (cooldown: Cooldown | undefined, step: CooldownStep): Cooldown | undefined => {
  if (step.kind === 'open') return { untilMs: step.untilMs, reason: step.reason }
  return step.kind === 'close' && cooldown ? { ...cooldown, closed: step.closed } : cooldown
}

interface Moment {
  nowMs: number
  reported: Incoming
  before: Cooldown | undefined
  step: CooldownStep
  cooldown: Cooldown | undefined
  buckets: Bucket[]
}

/** Everything that happens in a sequence, step by step. */
function play(reports: readonly Incoming[], seconds: number): Moment[] {
  let [nowMs, buckets, cooldown]: [number, Bucket[], Cooldown | undefined] = [start, [], undefined]
  return reports.map((reported) => {
    nowMs += reported.afterMs
    buckets = countIn(buckets, reported, nowMs)
    const before = cooldown
    const step = cooldownStep(reported, { buckets, cooldown, cooldownSeconds: seconds, nowMs })
    cooldown = after(cooldown, step)
    return { nowMs, reported, before, step, cooldown, buckets }
  })
}

const holds = (check: (moments: Moment[], seconds: number) => void) =>
  fc.assert(
    fc.property(sequence, cooldownSeconds, (reports, seconds) => check(play(reports, seconds), seconds)),
    { numRuns: 500 },
  )

describe('over any sequence of reports', () => {
  test('a deadline is never moved to an earlier one, and a step that opens always moves it', () => {
    holds((moments) => {
      for (const { before, step, cooldown } of moments) {
        expect(cooldown?.untilMs ?? 0).toBeGreaterThanOrEqual(before?.untilMs ?? 0)
        if (step.kind === 'open') expect(step.untilMs).toBeGreaterThan(before?.untilMs ?? 0)
      }
    })
  })

  test('a report closes a cooldown only during its trial', () => {
    holds((moments) => {
      for (const { before, step, nowMs } of moments) {
        if (step.kind === 'close') expect(stateOf(before, nowMs)).toBe('trial')
      }
    })
  })

  test('a trial is decided by the first report that says how requests ended', () => {
    holds((moments, seconds) => {
      for (const { before, step, cooldown, nowMs, reported } of moments) {
        if (stateOf(before, nowMs) !== 'trial') continue
        const { succeeded, failed, retryAfterSeconds } = reported
        const opens = retryAfterSeconds > 0 || (failed > 0 && seconds > 0)
        const expected = opens ? 'open' : succeeded > 0 && failed === 0 ? 'close' : 'none'
        expect(step.kind).toBe(expected)
        if (step.kind === 'close') expect(stateOf(cooldown, nowMs)).toBe('closed')
      }
    })
  })

  test('a target is never left alone longer than the routing or the target itself says', () => {
    holds((moments, seconds) => {
      for (const { step, nowMs, reported } of moments) {
        if (step.kind !== 'open') continue
        const longest = Math.max(seconds, reported.retryAfterSeconds)
        expect(step.untilMs).toBe(nowMs + 1000 * (step.reason === 'retry_after' ? reported.retryAfterSeconds : seconds))
        expect(step.untilMs).toBeLessThanOrEqual(nowMs + 1000 * longest)
      }
    })
  })

  test('a report without failures and without Retry-After opens nothing', () => {
    holds((moments) => {
      for (const { step, reported } of moments)
        if (reported.failed === 0 && reported.retryAfterSeconds === 0) expect(step.kind).not.toBe('open')
    })
  })

  test('a share of failures opens only with enough requests since the last success after a cooldown', () => {
    holds((moments) => {
      let closedAt = -1
      for (const [index, { step, nowMs }] of moments.entries()) {
        if (step.kind === 'open' && step.reason === 'failure_rate') {
          // Spelled from the reports themselves: this minute and the one before, after the one that closed.
          const counted = moments
            .slice(closedAt + 1, index + 1)
            .filter((moment) => minuteOf(moment.nowMs) >= minuteOf(nowMs) - 1)
          const failed = counted.reduce((all, moment) => all + moment.reported.failed, 0)
          const ended = counted.reduce((all, moment) => all + moment.reported.failed + moment.reported.succeeded, 0)
          expect(ended).toBeGreaterThanOrEqual(openingVolume)
          expect(failed * 2).toBeGreaterThanOrEqual(ended)
        }
        if (step.kind === 'close') closedAt = index
        if (step.kind === 'open') closedAt = -1
      }
    })
  })

  test('rates are shares that add up to 1, or null without samples, and no number is below zero', () => {
    holds((moments) => {
      for (const { buckets, cooldown, nowMs } of moments) {
        const health = healthOf(buckets, cooldown, nowMs)
        const { success_rate, failure_rate, sample_count } = health
        expect(success_rate === null).toBe(sample_count === 0)
        expect(failure_rate === null).toBe(sample_count === 0)
        if (success_rate !== null && failure_rate !== null) {
          expect(success_rate + failure_rate).toBeCloseTo(1, 10)
          expect(Math.min(success_rate, failure_rate)).toBeGreaterThanOrEqual(0)
        }
        expect(health.inflight).toBeGreaterThanOrEqual(0)
        expect(health.request_rate_per_minute).toBeGreaterThanOrEqual(0)
      }
    })
  })

  test('requests in flight are the sum of the last gauges of reporters active in the last 120 s', () => {
    holds((moments) => {
      for (const [index, { buckets, nowMs }] of moments.entries()) {
        const last = new Map(moments.slice(0, index + 1).map((moment) => [moment.reported.reporter, moment]))
        for (const laterMs of [0, 1, gaugeLifeMs - 1, gaugeLifeMs, 400_000]) {
          const alive = [...last.values()].filter((moment) => nowMs + laterMs - moment.nowMs < gaugeLifeMs)
          const health = healthOf(buckets, undefined, nowMs + laterMs)
          expect(health.inflight).toBe(alive.reduce((all, { reported }) => all + reported.inflight, 0))
          expect(health.stale).toBe(alive.length === 0)
        }
      }
    })
  })

  test('samples and rates are of the current minute and the four before it', () => {
    holds((moments) => {
      for (const [index, { buckets, nowMs }] of moments.entries()) {
        const inWindow = moments
          .slice(0, index + 1)
          .filter((moment) => minuteOf(moment.nowMs) > minuteOf(nowMs) - windowMinutes)
        const total = (of: (report: Incoming) => number) =>
          inWindow.reduce((all, { reported }) => all + of(reported), 0)
        const health = healthOf(buckets, undefined, nowMs)
        expect(health.sample_count).toBe(total(({ succeeded, failed }) => succeeded + failed))
        const rate = (total(({ started }) => started) * 60) / windowSeconds(nowMs)
        expect(health.request_rate_per_minute).toBeCloseTo(rate, 3)
      }
    })
  })

  test('the order in which buckets are read changes nothing', () => {
    fc.assert(
      fc.property(sequence, cooldownSeconds, fc.infiniteStream(fc.nat()), (reports, seconds, random) => {
        const moment = play(reports, seconds).at(-1)
        if (!moment) return
        const keyed = moment.buckets.map((bucket) => ({ bucket, key: Number(random.next().value) }))
        const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ bucket }) => bucket)
        const { nowMs, cooldown, before, reported, step } = moment
        expect(healthOf(shuffled, cooldown, nowMs)).toEqual(healthOf(moment.buckets, cooldown, nowMs))
        const again = { buckets: shuffled, cooldown: before, cooldownSeconds: seconds, nowMs }
        expect(cooldownStep(reported, again)).toEqual(step)
      }),
    )
  })
})

describe('the state of a cooldown', () => {
  const cooldown: Cooldown = { untilMs: start, reason: 'failure_rate' }

  test.each([
    [-1, 'open', 'open'],
    [0, 'trial', 'closed'],
    [trialLifeMs - 1, 'trial', 'closed'],
    [trialLifeMs, 'closed', 'closed'],
  ])('%i ms after its deadline is %s, and %s once its trial has succeeded', (afterMs, pending, settled) => {
    const closed = { minute: startMinute, succeeded: 1, failed: 0 }
    expect(stateOf(cooldown, start + afterMs)).toBe(pending)
    expect(stateOf({ ...cooldown, closed }, start + afterMs)).toBe(settled)
  })

  test('of a target that never had one is closed', () => {
    expect(stateOf(undefined, start)).toBe('closed')
  })

  test('is shown as active with deadline and reason only while it is open', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1_000_000, max: 1_000_000 }), (afterMs) => {
        const shown = healthOf([], cooldown, start + afterMs).cooldown
        const open = afterMs < 0
        expect(shown).toEqual({
          active: open,
          until: open ? new Date(start).toISOString() : null,
          reason: open ? 'failure_rate' : null,
          trial: afterMs >= 0 && afterMs < trialLifeMs,
        })
      }),
    )
  })
})

describe('the volume', () => {
  const bucket = (counts: { succeeded: number; failed: number }): Bucket => ({
    ...{ targetId: 't', minute: startMinute, started: 0, latencySumMs: 0, latencyCount: 0, lastReportMs: start },
    ...{ tokens: 0, gauges: new Map(), untrusted: { succeeded: 0, failed: 0 }, ...counts },
  })
  const stepOf = (succeeded: number, failed: number) =>
    cooldownStep(
      { succeeded, failed, retryAfterSeconds: 0 },
      { buckets: [bucket({ succeeded, failed })], cooldown: undefined, cooldownSeconds: 60, nowMs: start },
    ).kind

  test('below which nothing opens is ten requests, and the share a half', () => {
    fc.assert(
      fc.property(fc.nat({ max: 40 }), fc.nat({ max: 40 }), (succeeded, failed) => {
        const opens = failed > 0 && succeeded + failed >= 10 && failed >= succeeded
        expect(stepOf(succeeded, failed)).toBe(opens ? 'open' : 'none')
      }),
    )
  })
})
