/** Sends a request and retries it while useful, with back-off, and never earlier than `Retry-After`. */
import { jsonOf, NoAnswerError, ProblemError, type ProblemFields, problemFieldsOf } from './problem.ts'

export interface RetryRules {
  /** Maximum number of attempts, including the first. 1 disables retries. */
  attempts: number
  /** Maximum pause before the second attempt. It doubles with each attempt; the actual pause is random below it. */
  baseDelayMs: number
  /** Maximum pause without a `Retry-After`. */
  maxDelayMs: number
  /** Maximum `Retry-After` to wait for. A longer one throws the problem immediately. */
  maxRetryAfterMs: number
  /** Timeout of an attempt. The service answers within 30 seconds, at least with an error. */
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
 * Calls `send` with retries under `rules`. `prepare` gets the request of each attempt before it is sent.
 *
 * @throws ProblemError, NoAnswerError, errors of `prepare`, and the reason of the caller's signal
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

/** One attempt. It reads the body, so that a truncated answer counts as no answer. */
async function attemptOf(send: Send, request: Request): Promise<Outcome> {
  try {
    const response = await send(request)
    const text = await response.text()
    const { ok, status, headers } = response
    // A captive portal can answer 200.
    const isAnswer = ok && (status === 204 || jsonOf(text) !== undefined)
    if (!isAnswer) return { problem: problemFieldsOf(response, text, Date.now()) }
    return { response: new Response(text === '' ? null : text, { status, headers }) }
  } catch (failure) {
    return { failure }
  }
}

const errorOf = (outcome: Exclude<Outcome, { response: Response }>, attempts: number): Error =>
  'problem' in outcome ? new ProblemError(outcome.problem, attempts) : new NoAnswerError(outcome.failure, attempts)

/** Pause before the next attempt; undefined for no further attempt. */
function pauseAfter(
  outcome: Exclude<Outcome, { response: Response }>,
  attempt: number,
  { baseDelayMs, maxDelayMs, maxRetryAfterMs }: RetryRules,
): number | undefined {
  // Full jitter, so that clients that failed together do not retry together.
  const backOffMs = Math.random() * Math.min(maxDelayMs, baseDelayMs * 2 ** (attempt - 1))
  if ('failure' in outcome) return backOffMs
  const { retryable, retryAfterMs } = outcome.problem
  if (!retryable || (retryAfterMs ?? 0) > maxRetryAfterMs) return undefined
  return (retryAfterMs ?? 0) + backOffMs
}

/** Rejects when the caller aborts. */
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
