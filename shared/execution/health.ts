/**
 * The arithmetic of live health, as pure functions: rates over a window of minute buckets, the sum of reporters'
 * gauges, and when a failing target gets a cooldown. Times are epoch milliseconds, minutes are epoch minutes.
 */

/** Minutes in the rate window, including the current one: four to five minutes of time. */
export const windowMinutes = 5
/** How long a gauge counts after its report. A target without any report in this time is stale. */
export const gaugeLifeMs = 120_000
/** The failure share that opens a cooldown, at a minimum volume of requests in the last two minutes. */
export const openingFailureShare = 0.5
export const openingVolume = 10
/** Minutes in the failure window, including the current one. */
export const cooldownWindowMinutes = 2
/** How long the trial after a cooldown can take. Then the cooldown is forgotten. */
export const trialLifeMs = 600_000

const minuteMs = 60_000
export const minuteOf = (ms: number): number => Math.floor(ms / minuteMs)

export interface Counts {
  succeeded: number
  failed: number
}

export interface Gauge {
  inflight: number
  atMs: number
}

/** The reports about one target in one minute. */
export interface Bucket extends Counts {
  targetId: string
  minute: number
  started: number
  /** Tokens used. */
  tokens: number
  /** Sum of the reported medians, each weighted by its ended requests; and the sum of the weights. */
  latencySumMs: number
  latencyCount: number
  /** The part of the counts that publishable keys reported. */
  untrusted: Counts
  /** The last gauge of the minute, by reporter. */
  gauges: ReadonlyMap<string, Gauge>
}

export type CooldownReason = 'failure_rate' | 'retry_after' | 'trial_failed'

/** The last cooldown of a target. */
export interface Cooldown {
  untilMs: number
  reason: CooldownReason
  /** Set when the trial has succeeded: counting starts at this minute, less the counts it had until then. */
  closed?: (Counts & { minute: number }) | undefined
}

export type CooldownState = 'closed' | 'open' | 'trial'

/** `trial`: the deadline has passed, and the next report decides. */
export function stateOf(cooldown: Cooldown | undefined, nowMs: number): CooldownState {
  if (!cooldown) return 'closed'
  if (nowMs < cooldown.untilMs) return 'open'
  return cooldown.closed || nowMs >= cooldown.untilMs + trialLifeMs ? 'closed' : 'trial'
}

export interface Reported extends Counts {
  /** 0: the target did not ask for a pause. */
  retryAfterSeconds: number
}

export type CooldownStep =
  | { kind: 'none' }
  | { kind: 'open'; untilMs: number; reason: CooldownReason }
  | { kind: 'close'; closed: Counts & { minute: number } }

/**
 * The effect of a report on a cooldown. `buckets` are the target's, including the report. A deadline only moves later.
 */
export function cooldownStep(
  reported: Reported,
  {
    buckets,
    cooldown,
    cooldownSeconds,
    nowMs,
  }: {
    buckets: readonly Bucket[]
    cooldown: Cooldown | undefined
    cooldownSeconds: number
    nowMs: number
  },
): CooldownStep {
  const state = stateOf(cooldown, nowMs)
  const candidates: { untilMs: number; reason: CooldownReason }[] = []
  if (reported.retryAfterSeconds > 0)
    candidates.push({ untilMs: nowMs + reported.retryAfterSeconds * 1000, reason: 'retry_after' })
  const failing =
    state === 'trial' ? reported.failed > 0 : reported.failed > 0 && failsTooOften(buckets, cooldown, nowMs)
  if (failing && cooldownSeconds > 0) {
    const reason = state === 'trial' ? 'trial_failed' : 'failure_rate'
    candidates.push({ untilMs: nowMs + cooldownSeconds * 1000, reason })
  }
  const later = candidates.filter(({ untilMs }) => untilMs > (cooldown?.untilMs ?? 0))
  const [latest] = later.sort((a, b) => b.untilMs - a.untilMs)
  if (latest) return { kind: 'open', ...latest }
  if (state !== 'trial' || reported.succeeded === 0 || reported.failed > 0) return { kind: 'none' }
  const minute = minuteOf(nowMs)
  return { kind: 'close', closed: { minute, ...sum(buckets.filter((bucket) => bucket.minute === minute)) } }
}

/** Failures before a cooldown have already had their effect, so this does not count them again. */
function failsTooOften(buckets: readonly Bucket[], cooldown: Cooldown | undefined, nowMs: number): boolean {
  const closed = cooldown?.closed
  const since = Math.max(minuteOf(nowMs) - cooldownWindowMinutes + 1, closed?.minute ?? 0)
  const counted = sum(buckets.filter(({ minute }) => minute >= since))
  const before = closed && closed.minute >= since ? closed : { succeeded: 0, failed: 0 }
  const failed = counted.failed - before.failed
  const volume = failed + counted.succeeded - before.succeeded
  return volume >= openingVolume && failed / volume >= openingFailureShare
}

const sum = (counts: readonly Counts[]): Counts =>
  counts.reduce<Counts>(
    (total, { succeeded, failed }) => ({ succeeded: total.succeeded + succeeded, failed: total.failed + failed }),
    { succeeded: 0, failed: 0 },
  )

export interface Health extends Counts {
  request_rate_per_minute: number
  token_rate_per_minute: number
  inflight: number
  success_rate: number | null
  failure_rate: number | null
  sample_count: number
  latency_ms_p50: number | null
  stale: boolean
  cooldown: { active: boolean; until: string | null; reason: CooldownReason | null; trial: boolean }
}

/** The first minute of the window that ends now. */
export const windowStart = (nowMs: number): number => minuteOf(nowMs) - windowMinutes + 1

export const windowSeconds = (nowMs: number): number => Math.round((nowMs - windowStart(nowMs) * minuteMs) / 1000)

/** The health of one target from its buckets of the window. */
export function healthOf(buckets: readonly Bucket[], cooldown: Cooldown | undefined, nowMs: number): Health {
  const inWindow = buckets.filter(({ minute }) => minute >= windowStart(nowMs))
  const { succeeded, failed } = sum(inWindow)
  const samples = succeeded + failed
  const total = (of: (bucket: Bucket) => number) => inWindow.reduce((all, bucket) => all + of(bucket), 0)
  const latencyCount = total(({ latencyCount }) => latencyCount)
  const successRate = samples === 0 ? null : rounded(succeeded / samples)
  const gauges = liveGauges(inWindow, nowMs)
  const perMinute = (count: number) => rounded((count * 60) / windowSeconds(nowMs))
  return {
    request_rate_per_minute: perMinute(total(({ started }) => started)),
    token_rate_per_minute: perMinute(total(({ tokens }) => tokens)),
    inflight: gauges.reduce((all, { inflight }) => all + inflight, 0),
    success_rate: successRate,
    failure_rate: successRate === null ? null : rounded(1 - successRate),
    succeeded,
    failed,
    sample_count: samples,
    latency_ms_p50: latencyCount === 0 ? null : Math.round(total(({ latencySumMs }) => latencySumMs) / latencyCount),
    stale: gauges.length === 0,
    cooldown: shownCooldown(cooldown, nowMs),
  }
}

const precision = 10_000
const rounded = (value: number): number => Math.round(value * precision) / precision

/** The last gauge of each reporter that still reports. A dead reporter's gauge soon stops counting. */
function liveGauges(buckets: readonly Bucket[], nowMs: number): Gauge[] {
  const last = new Map<string, Gauge>()
  for (const { gauges } of buckets) {
    for (const [reporter, gauge] of gauges) if (gauge.atMs >= (last.get(reporter)?.atMs ?? 0)) last.set(reporter, gauge)
  }
  return [...last.values()].filter(({ atMs }) => atMs > nowMs - gaugeLifeMs)
}

function shownCooldown(cooldown: Cooldown | undefined, nowMs: number): Health['cooldown'] {
  const state = stateOf(cooldown, nowMs)
  if (!cooldown || state !== 'open') return { active: false, until: null, reason: null, trial: state === 'trial' }
  return { active: true, until: new Date(cooldown.untilMs).toISOString(), reason: cooldown.reason, trial: false }
}
