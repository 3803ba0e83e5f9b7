/** Sends a request until it is answered, or until repeating it is of no use: with back-off, and never sooner than asked. */
import { jsonOf, NoAnswerError, ProblemError, type ProblemFields, problemFieldsOf } from './problem.ts'

export interface RetryRules {
  /** How often a request is sent at most, the first time included. 1 is never again. */
  attempts: number
  /** The longest pause before the second attempt; it doubles with each one. The pause itself is random below that. */
  baseDelayMs: number
  /** The longest pause that is made without having been asked for. */
  maxDelayMs: number
  /** The longest `Retry-After` that is waited for; a longer one is thrown, with its problem, at once. */
  maxRetryAfterMs: number
  /** When an attempt is given up. The service answers within 30 seconds, if only that it has not managed. */
  attemptTimeoutMs: number
}

export const defaultRetryRules: RetryRules = {
  attempts: 4,
  baseDelayMs: 250,
  maxDelayMs: 5_000,
  maxRetryAfterMs: 60_000,
  attemptTimeoutMs: 35_000,
}

export type Send = (request: Request) => Promise<Response>

type Outcome = { response: Response } | { problem: ProblemFields } | { failure: unknown }

/**
 * `send`, with its attempts repeated under `rules`. `prepare` is given each attempt's own request before it leaves.
 *
 * @throws ProblemError, NoAnswerError, what `prepare` throws, and the reason of the caller's own signal
 */
export const retrying =
  (send: Send, rules: RetryRules, prepare: (request: Request) => Promise<void>): Send =>
  async (request) => {
    for (let attempt = 1; ; attempt++) {
      const copy = new Request(request.clone(), { signal: signalOf(request, rules) })
      await prepare(copy)
      const outcome = await attemptOf(send, copy)
      if ('response' in outcome) return outcome.response
      request.signal.throwIfAborted()
      const pauseMs = attempt < rules.attempts ? pauseAfter(outcome, attempt, rules) : undefined
      if (pauseMs === undefined) throw errorOf(outcome, attempt)
      await pause(pauseMs, request.signal)
    }
  }

const signalOf = (request: Request, { attemptTimeoutMs }: RetryRules): AbortSignal =>
  AbortSignal.any([request.signal, AbortSignal.timeout(attemptTimeoutMs)])

/** One attempt. The body is read here, so that an answer that breaks off half way is no answer. */
async function attemptOf(send: Send, request: Request): Promise<Outcome> {
  try {
    const response = await send(request)
    const text = await response.text()
    const { ok, status, headers } = response
    // A network's own page may well be a 200.
    const isAnswer = ok && (status === 204 || jsonOf(text) !== undefined)
    if (!isAnswer) return { problem: problemFieldsOf(response, text, Date.now()) }
    return { response: new Response(text === '' ? null : text, { status, headers }) }
  } catch (failure) {
    return { failure }
  }
}

const errorOf = (outcome: Exclude<Outcome, { response: Response }>, attempts: number): Error =>
  'problem' in outcome ? new ProblemError(outcome.problem, attempts) : new NoAnswerError(outcome.failure, attempts)

/** How long to wait before the next attempt; undefined when there shall be none. */
function pauseAfter(
  outcome: Exclude<Outcome, { response: Response }>,
  attempt: number,
  { baseDelayMs, maxDelayMs, maxRetryAfterMs }: RetryRules,
): number | undefined {
  // Random over the whole span, so that clients that failed together do not come back together.
  const backOffMs = Math.random() * Math.min(maxDelayMs, baseDelayMs * 2 ** (attempt - 1))
  if ('failure' in outcome) return backOffMs
  const { retryable, retryAfterMs } = outcome.problem
  if (!retryable || (retryAfterMs ?? 0) > maxRetryAfterMs) return undefined
  return (retryAfterMs ?? 0) + backOffMs
}

/** Rejects as soon as the caller gives up. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}
