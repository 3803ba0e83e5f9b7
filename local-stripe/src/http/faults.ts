/** Stripe on a bad day: the next requests fail, hang, or lose their answer, as a test asks. */
import * as z from 'zod'

export const faultRequest = z.strictObject({
  /**
   * `error`: answered with `status` before anything is done. `rate_limit`: 429. `timeout`: never answered, nothing done.
   * `reset`: the connection breaks, nothing done. `lost_answer`: done, and the connection breaks before the answer.
   * `delay`: answered after `delay_ms`.
   */
  kind: z.enum(['error', 'rate_limit', 'timeout', 'reset', 'lost_answer', 'delay']),
  /** How many requests it lasts. */
  count: z.int().min(1).max(100_000).default(1),
  /** For `error`. */
  status: z.int().min(400).max(599).default(500),
  /** For `delay`. */
  delay_ms: z.int().min(0).max(60_000).default(1000),
  /** Only requests of this method, and with this in their path. */
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

  /** What befalls this request, if anything does. */
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
