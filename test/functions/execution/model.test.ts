import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { makeBusyOrg } from '../../support/orgs.ts'
import { allHealth, counted, heldStart, holdClock, putTargets, setRouting } from './targets.ts'

/**
 * The contract as a program that keeps every report and thinks it all over again for each question: no minutes in rows, no
 * sums, nothing shared with the service.
 */
class Model {
  readonly #reports: Seen[] = []
  #deadlineMs = 0
  #reason: string | null = null
  /** How many reports there were when a trial closed the last cooldown; null until then. */
  #closedAt: number | null = null

  take(report: Seen, cooldownSeconds: number): void {
    this.#reports.push(report)
    const { atMs, failed, succeeded, retryAfterSeconds } = report
    const onTrial = this.#onTrial(atMs)
    const fails = failed > 0 && (onTrial || this.#failsTooOften(atMs))
    const wanted: [number, string][] = []
    // Of two that end together, what the target asks for itself is the reason.
    if (retryAfterSeconds > 0) wanted.push([atMs + retryAfterSeconds * 1000, 'retry_after'])
    if (fails && cooldownSeconds > 0)
      wanted.push([atMs + cooldownSeconds * 1000, onTrial ? 'trial_failed' : 'failure_rate'])
    const latest = Math.max(0, ...wanted.map(([deadlineMs]) => deadlineMs))
    if (latest > this.#deadlineMs) {
      this.#deadlineMs = latest
      this.#reason = wanted.find(([deadlineMs]) => deadlineMs === latest)?.[1] ?? null
      this.#closedAt = null
    } else if (onTrial && succeeded > 0 && failed === 0) this.#closedAt = this.#reports.length
  }

  #onTrial(nowMs: number): boolean {
    return (
      this.#reason !== null &&
      this.#closedAt === null &&
      nowMs >= this.#deadlineMs &&
      nowMs < this.#deadlineMs + 600_000
    )
  }

  #failsTooOften(nowMs: number): boolean {
    const counting = this.#reports.slice(this.#closedAt ?? 0).filter(({ atMs }) => minute(atMs) >= minute(nowMs) - 1)
    const failed = total(counting, ({ failed }) => failed)
    const ended = failed + total(counting, ({ succeeded }) => succeeded)
    return ended >= 10 && failed / ended >= 0.5
  }

  health(nowMs: number) {
    const seen = this.#reports.filter(({ atMs }) => minute(atMs) >= minute(nowMs) - 4)
    const succeeded = total(seen, (report) => report.succeeded)
    const ended = succeeded + total(seen, ({ failed }) => failed)
    const lastOf = new Map(this.#reports.map((report) => [report.reporter, report]))
    const alive = [...lastOf.values()].filter(({ atMs }) => nowMs - atMs < 120_000)
    const open = nowMs < this.#deadlineMs
    const seconds = Math.round((nowMs - (minute(nowMs) - 4) * 60_000) / 1000)
    return {
      request_rate_per_minute: rounded((total(seen, ({ started }) => started) * 60) / seconds),
      inflight: total(alive, ({ inflight }) => inflight),
      // However they are rounded.
      success_rate: ended === 0 ? null : expect.closeTo(succeeded / ended, 3),
      failure_rate: ended === 0 ? null : expect.closeTo((ended - succeeded) / ended, 3),
      sample_count: ended,
      stale: alive.length === 0,
      cooldown: {
        active: open,
        until: open ? new Date(this.#deadlineMs).toISOString() : null,
        reason: open ? this.#reason : null,
        trial: this.#onTrial(nowMs),
      },
    }
  }
}

interface Seen {
  atMs: number
  reporter: string
  started: number
  succeeded: number
  failed: number
  inflight: number
  retryAfterSeconds: number
}

const minute = (ms: number): number => Math.floor(ms / 60_000)
const rounded = (value: number): number => Math.round(value * 10_000) / 10_000
const total = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((sum, one) => sum + of(one), 0)

const count = fc.oneof(fc.constant(0), fc.nat({ max: 12 }))
const step = fc.record({
  afterMs: fc.oneof(fc.nat({ max: 3000 }), fc.nat({ max: 70_000 }), fc.nat({ max: 660_000 })),
  reporter: fc.constantFrom('a', 'b', 'c'),
  // The targets in the batch, of three, and the report on each.
  batch: fc.uniqueArray(
    fc.record({
      target: fc.nat({ max: 2 }),
      started: count,
      succeeded: count,
      failed: count,
      inflight: count,
      retryAfterSeconds: fc.oneof(
        { weight: 5, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.constantFrom(1, 5, 60, 61, 200, 300) },
      ),
    }),
    { minLength: 1, maxLength: 3, selector: ({ target }) => target },
  ),
})

afterEach(() => {
  vi.useRealTimers()
})

test('a random sequence of reports leaves the health that a naive model says, after each of them and later', async () => {
  const org = await makeBusyOrg()
  holdClock()
  let nowMs = heldStart
  const passes = (ms: number) => {
    nowMs += ms
    vi.setSystemTime(nowMs)
  }
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 20 }),
      fc.constantFrom(0, 5, 60, 300),
      async (steps, cooldownSeconds) => {
        const { local } = await putTargets(org.orgId, { local: 3 })
        const models = local.map(() => new Model())
        await setRouting(org, { cooldown_seconds: cooldownSeconds })
        const agree = async () => {
          const { data } = await allHealth(org)
          for (const [index, id] of local.entries()) {
            const found = data.find(({ target_id }: { target_id: string }) => target_id === id)
            expect(found).toMatchObject(models[index]?.health(nowMs) ?? {})
          }
        }
        for (const { afterMs, reporter, batch } of steps) {
          passes(afterMs)
          const reports = batch.map(({ target, retryAfterSeconds, ...counts }) => ({
            target_id: local[target] ?? '',
            ...counts,
            ...(retryAfterSeconds > 0 ? { retry_after_seconds: retryAfterSeconds } : {}),
          }))
          await counted(org, reports, { reporter })
          for (const { target, ...report } of batch)
            models[target]?.take({ atMs: nowMs, reporter, ...report }, cooldownSeconds)
          await agree()
        }
        passes(100_000)
        await agree()
      },
    ),
    { numRuns: 25, endOnFailure: true },
  )
})
