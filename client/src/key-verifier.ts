/**
 * Verifies API keys for services that are called with them: asks the settings API, and remembers each answer for as long as it
 * allows. Uses Web APIs only.
 */
import { type Credential, createSettingsClient } from './client.ts'
import { NoAnswerError, ProblemError } from './problem.ts'
import { refusedUnseen } from './raw-key.ts'
import type { RetryRules, Send } from './retry.ts'
import type { components } from './schema.ts'

type Schemas = components['schemas']
type Asked = Schemas['IntrospectionRequest']
export type ActiveKey = Schemas['ActiveKey']
export type InactiveKey = Schemas['InactiveKey']

export interface KeyVerifierOptions {
  /** Base URL of the settings API: `https://api.example.com`. */
  baseUrl: string
  /** A service key, or an org key with `keys:introspect`. */
  credential: Credential
  /** With a service key: only keys of this organization. */
  orgId?: string
  /** What each answer shows beside the key. With `usage`, a used up limit denies. */
  include?: NonNullable<Asked['include']>
  /** Maximum number of remembered usable keys, and of other tokens. Default: 10,000. */
  maxKeys?: number
  /** Overrides of the retry rules. Default: 2 attempts of at most 3 seconds. */
  retries?: Partial<RetryRules>
  /** Replaces `fetch`. */
  fetch?: Send
  /** Replaces the monotonic clock, in milliseconds. */
  now?: () => number
}

/** The request that presented the key. */
export interface PresentedRequest {
  requiredScope?: Exclude<ActiveKey['scopes'][number], 'admin:read' | 'admin:write'>
  /** The request's `Origin` header. When it is absent or empty, no origin is judged. */
  origin?: string
}

/** `stale`: the service failed, and this is its last answer, at most 5 minutes old. */
export type Verdict = (ActiveKey & { stale: boolean }) | InactiveKey

export interface KeyVerifier {
  /**
   * Whether a key is usable (`active`), and whether the request may proceed (`permitted`).
   *
   * @throws ProblemError if the service refuses this verifier; ProblemError or NoAnswerError if it fails and no answer is left
   */
  verify(token: string, request?: PresentedRequest): Promise<Verdict>
}

const negativeMs = 5_000
const maxStaleMs = 5 * 60_000
const retryDefaults = { attempts: 2, attemptTimeoutMs: 3_000, maxRetryAfterMs: 1_000 }

/** An answer as remembered. All times are of the verifier's clock. */
interface Answer {
  data: ActiveKey | InactiveKey
  /** Before the request was sent: the service judged no earlier. */
  askedAtMs: number
  freshUntilMs: number
  /** A usable key may serve until then if the service fails. */
  staleUntilMs: number
}

/** Creates a verifier. Keep one per process: it holds the cache. */
export function createKeyVerifier(options: KeyVerifierOptions): KeyVerifier {
  const { maxKeys = 10_000, now = () => performance.now() } = options
  const ask = asking(options, now)
  const usable = new Map<string, Answer>()
  // Apart, so that a flood of unknown tokens does not displace usable keys.
  const unusable = new Map<string, Answer>()

  const keep = (token: string, answer: Answer): void => {
    const [home, other] = answer.data.active ? [usable, unusable] : [unusable, usable]
    other.delete(token)
    remember(home, token, answer, maxKeys)
  }
  const fly = singleFlight(async (token) => {
    const answer = await ask(token)
    keep(token, answer)
    return answer
  })

  async function verify(token: string, request: PresentedRequest = {}): Promise<Verdict> {
    const reason = refusedUnseen(token)
    if (reason) return { active: false, reason }
    const calledAtMs = now()
    // An answer that was asked for before this call must still be fresh; a later one is good in any case.
    const isGood = (answer: Answer | undefined) =>
      answer !== undefined && (answer.freshUntilMs > now() || answer.askedAtMs >= calledAtMs)
    let answer = usable.get(token) ?? unusable.get(token)
    try {
      while (!isGood(answer)) answer = await fly(token)
    } catch (error) {
      // Another answer may have come meanwhile.
      answer = usable.get(token)
      if (!answer || answer.staleUntilMs <= now() || !isFailure(error)) throw error
      return judged(answer.data, request, true)
    }
    return judged((answer as Answer).data, request, false)
  }

  return { verify }
}

/** One request at a time per key: callers that come meanwhile wait for its answer. */
function singleFlight(ask: (token: string) => Promise<Answer>): (token: string) => Promise<Answer> {
  const flights = new Map<string, Promise<Answer>>()
  return (token) => {
    const flight = flights.get(token) ?? ask(token).finally(() => flights.delete(token))
    flights.set(token, flight)
    return flight
  }
}

/** One introspection, and how long its answer holds. */
function asking({ orgId, include = [], retries, ...options }: KeyVerifierOptions, now: () => number) {
  const client = createSettingsClient({ ...options, retries: { ...retryDefaults, ...retries } })
  const params = orgId === undefined ? {} : { query: { org_id: orgId } }
  return async (token: string): Promise<Answer> => {
    const askedAtMs = now()
    const { data, headers } = await client.POST('/api/v2/settings/api-keys/introspect', {
      params,
      body: { token, include },
    })
    if (!data.active) return { data, askedAtMs, freshUntilMs: askedAtMs + negativeMs, staleUntilMs: askedAtMs }
    return {
      data,
      askedAtMs,
      freshUntilMs: askedAtMs + data.max_age_seconds * 1000,
      staleUntilMs: askedAtMs + Math.min(maxStaleMs, lifetimeMs(data, headers)),
    }
  }
}

/** The remaining life of a key, by the service's own clock where its answer shows it. */
function lifetimeMs({ exp }: ActiveKey, headers: Headers): number {
  if (exp === undefined) return Number.POSITIVE_INFINITY
  const servedAtMs = Date.parse(headers.get('date') ?? '')
  return exp * 1000 - (Number.isNaN(servedAtMs) ? Date.now() : servedAtMs)
}

/** A refusal of the verifier's own credential or request is no failure: the last answer must not hide it. */
const isFailure = (error: unknown): boolean =>
  error instanceof NoAnswerError || (error instanceof ProblemError && error.retryable)

/** An answer about a key, judged for one request. */
function judged(
  data: ActiveKey | InactiveKey,
  { requiredScope, origin = '' }: PresentedRequest,
  stale: boolean,
): Verdict {
  if (!data.active) return data
  const { permitted: _permitted, denied_by: before = [], ...key } = data
  const lacksScope = requiredScope !== undefined && !key.scopes.includes(requiredScope)
  const isForeign = origin !== '' && !admits(key.allowed_origins, origin)
  const denied_by = [...(lacksScope ? ['scope' as const] : []), ...(isForeign ? ['origin' as const] : []), ...before]
  return { ...key, permitted: denied_by.length === 0, ...(denied_by.length === 0 ? {} : { denied_by }), stale }
}

/** Browsers leave the default port out of an origin, also where the list names it. */
const admits = (allowed: readonly string[], origin: string): boolean =>
  allowed.length === 0 ||
  allowed.some((entry) =>
    entry === 'http://localhost:*'
      ? /^http:\/\/localhost(?::\d+)?$/.test(origin)
      : entry === origin || new URL(entry).origin === origin,
  )

/** Sets an answer as the newest. Removes expired ones, so that no raw key stays long, and the oldest ones above `max`. */
function remember(answers: Map<string, Answer>, token: string, answer: Answer, max: number): void {
  answers.delete(token)
  for (const [oldest, { freshUntilMs, staleUntilMs }] of answers) {
    if (answers.size < max && Math.max(freshUntilMs, staleUntilMs) > answer.askedAtMs) break
    answers.delete(oldest)
  }
  answers.set(token, answer)
}
