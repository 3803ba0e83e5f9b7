/** Reports usage in batches. Each record has an id, so a repeated batch counts once, and a lost answer loses nothing. */
import type { SettingsClient } from './client.ts'
import type { BodyOf } from './operations.ts'
import { NoAnswerError, ProblemError } from './problem.ts'

const path = '/api/v2/settings/usage/records'

/** A record of usage: `add` for a sum, `set` for a level. */
export type UsageRecord = BodyOf<typeof path, 'post'>['records'][number]

export interface UsageReporterOptions {
  client: Pick<SettingsClient, 'POST'>
  /** Maximum time that a record waits for its batch. Default: 1,000. */
  flushIntervalMs?: number
  /** Pause after a failed batch. It doubles with each failure, up to a minute. Default: 1,000. */
  retryDelayMs?: number
  /** Gets the records that the service refused for good, such as those above 24 hours old. */
  onRefused?: (records: readonly UsageRecord[], error: unknown) => void
}

export interface UsageReporter {
  /** Queues a record. Its time is now unless it has one. */
  report(record: UsageRecord): void
  /** Resolves when everything that was reported before is sent. Retries until then, or until `signal` aborts. */
  flush(signal?: AbortSignal): Promise<void>
  /** Stops taking records, and sends the queue. Call it before the process ends. */
  close(signal?: AbortSignal): Promise<void>
  /** Number of records that are not sent yet. */
  readonly pending: number
}

const maxRecords = 100
const maxRetryDelayMs = 60_000

/** A reporter for servers and workers: it uses Web APIs only. */
export function createUsageReporter(options: UsageReporterOptions): UsageReporter {
  return new Reporter(options)
}

class Reporter implements UsageReporter {
  readonly #options: UsageReporterOptions
  #queue: UsageRecord[] = []
  #sending: Promise<void> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false
  #failures = 0

  constructor(options: UsageReporterOptions) {
    this.#options = options
  }

  get pending(): number {
    return this.#queue.length
  }

  report(record: UsageRecord): void {
    if (this.#isClosed) throw new Error('the usage reporter is closed')
    this.#queue.push({ id: crypto.randomUUID(), at: new Date().toISOString(), ...record })
    if (this.#queue.length >= maxRecords && this.#failures === 0) void this.#send().catch(() => this.#sendLater())
    else this.#sendLater()
  }

  async flush(signal?: AbortSignal): Promise<void> {
    const last = this.#queue.at(-1)
    while (last && this.#queue.includes(last)) {
      signal?.throwIfAborted()
      await this.#send().catch(() => pause(this.#delayMs(), signal))
    }
  }

  async close(signal?: AbortSignal): Promise<void> {
    this.#isClosed = true
    await this.flush(signal)
    clearTimeout(this.#timer)
  }

  #sendLater(): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#send().catch(() => this.#sendLater())
    }, this.#delayMs())
  }

  #delayMs(): number {
    const { flushIntervalMs = 1000, retryDelayMs = 1000 } = this.#options
    if (this.#failures === 0) return flushIntervalMs
    return Math.min(maxRetryDelayMs, retryDelayMs * 2 ** (this.#failures - 1))
  }

  /** One batch at a time, so that levels arrive in order. */
  #send(): Promise<void> {
    this.#sending ??= this.#sendBatches().finally(() => {
      this.#sending = undefined
    })
    return this.#sending
  }

  /** A batch stays in the queue until the service has answered. */
  async #sendBatches(): Promise<void> {
    while (this.#queue.length > 0) {
      const records = this.#queue.slice(0, maxRecords)
      try {
        await this.#options.client.POST(path, { body: { mode: 'record', records } })
      } catch (error) {
        if (isTemporary(error)) {
          this.#failures += 1
          throw error
        }
        this.#options.onRefused?.(records, error)
      }
      this.#failures = 0
      this.#queue = this.#queue.slice(records.length)
    }
  }
}

/** Only a refused input is final: a credential can be renewed, and everything else can pass. */
const isTemporary = (error: unknown): boolean =>
  error instanceof NoAnswerError || !(error instanceof ProblemError) || error.code !== 'invalid_input'

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })
}
