/** Faults on request: the next requests fail, hang, or lose their answer. */
import * as z from 'zod'

export const faultRequest = z.strictObject({
  /**
   * `error`: answers `status` and changes nothing. `rate_limit`: answers 429. `timeout`: never answers, changes nothing.
   * `reset`: closes the connection, changes nothing. `lost_answer`: executes, and closes the connection before the answer.
   * `delay`: answers after `delay_ms`.
   */
  kind: z.enum(['error', 'rate_limit', 'timeout', 'reset', 'lost_answer', 'delay']),
  /** The number of requests that it affects. */
  count: z.int().min(1).max(100_000).default(1),
  /** For `error`. */
  status: z.int().min(400).max(599).default(500),
  /** For `delay`. */
  delay_ms: z.int().min(0).max(60_000).default(1000),
  /** Only requests of this method, with this text in their path. */
  method: z.enum(['GET', 'POST', 'DELETE']).optional(),
  path: z.string().optional(),
})

export type Fault = z.output<typeof faultRequest>

export class Faults {
  #planned: Fault[] = []

  plan(fault: Fault): void {
    this.#planned.push(fault)
  }

  clear(): void {
    this.#planned = []
  }

  /** The fault of this request, if there is one. */
  take(method: string, path: string): Fault | undefined {
    const fault = this.#planned.find(
      (planned) => (planned.method ?? method) === method && path.includes(planned.path ?? ''),
    )
    if (!fault) return
    fault.count -= 1
    if (fault.count === 0) this.#planned = this.#planned.filter((planned) => planned !== fault)
    return fault
  }
}
