/** Functions that are no operation: what a rule, a schedule or the user pool starts. */
import { randomUUID } from 'node:crypto'
import type { Access } from '../access.ts'
import { deadlineOf, requestIdOf } from './deadline.ts'
import { log } from './log.ts'

/** A background function as plain data, as operations are: its role, its trigger and the bundle come from it. */
export interface BackgroundFunction {
  id: string
  summary: string
  /** What starts it: Stripe's events on the bus, the clock, or the user pool before it issues tokens. */
  trigger: { events: 'stripe' } | { everyMinutes: number } | { userPool: 'tokens' }
  timeoutSeconds: number
  access: Access & {
    /** Actions on the user pool that triggers it. */
    userPool?: readonly 'AdminGetUser'[]
  }
}

/** One run, and when its work must be over. */
export interface Run {
  requestId: string
  deadline: Date
}

/** The Lambda handler of a background function that nothing waits for: Lambda retries when it throws. */
export const inBackground =
  ({ id }: BackgroundFunction, handler: (event: unknown, run: Run) => Promise<unknown>) =>
  async (event: unknown, context: unknown): Promise<void> => {
    const run = { requestId: requestIdOf(context) ?? randomUUID(), deadline: deadlineOf(context, new Date()) }
    try {
      await handler(event, run)
    } catch (error) {
      log.error('a background function failed', { operation: id, request_id: run.requestId, error: error as Error })
      throw error
    }
  }
