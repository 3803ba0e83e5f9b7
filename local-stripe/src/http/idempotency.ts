/** Idempotency keys like Stripe's: they keep the first answer for 24 hours, errors included. A restart forgets them. */
import { hash } from 'node:crypto'
import { ApiError } from '../model/api-error.ts'

export interface Answer {
  status: number
  body: string
  headers?: Record<string, string>
}

interface Entry {
  fingerprint: string
  expiresAtMs: number
  requestId: string
  answer?: Answer
}

const keptMs = 24 * 60 * 60 * 1000

export class IdempotencyKeys {
  #entries = new Map<string, Entry>()

  /**
   * Returns the first answer of this key. For the first request it returns undefined; end that request with `keep` or
   * `forget`.
   *
   * @throws ApiError for other parameters, or while the first request still runs
   */
  begin(key: string, request: string, requestId: string): { answer: Answer; requestId: string } | undefined {
    this.#forgetOld()
    const fingerprint = hash('sha256', request)
    const entry = this.#entries.get(key)
    if (!entry) {
      this.#entries.set(key, { fingerprint, requestId, expiresAtMs: Date.now() + keptMs })
      return
    }
    if (entry.fingerprint !== fingerprint) {
      throw new ApiError(400, {
        type: 'idempotency_error',
        message: `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
      })
    }
    if (!entry.answer) {
      throw new ApiError(409, {
        type: 'idempotency_error',
        code: 'idempotency_key_in_use',
        message: `There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): ${key}. Please try again later.`,
      })
    }
    return { answer: entry.answer, requestId: entry.requestId }
  }

  #forgetOld(): void {
    for (const [key, { expiresAtMs }] of this.#entries) {
      if (expiresAtMs >= Date.now()) return
      this.#entries.delete(key)
    }
  }

  keep(key: string, answer: Answer): void {
    const entry = this.#entries.get(key)
    if (entry) this.#entries.set(key, { ...entry, answer })
  }

  forget(key: string): void {
    this.#entries.delete(key)
  }
}
