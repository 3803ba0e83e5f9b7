/** Functions that are not operations: a rule, a schedule or the user pool starts them. */
import { randomUUID } from 'node:crypto'
import type { Access } from '../access.ts'
import { deadlineOf, requestIdOf } from './deadline.ts'
import { log } from './log.ts'

/** A background function as plain data. Its role, trigger and bundle follow from it. */
export interface BackgroundFunction {
  id: string
  summary: string
  /**
   * Its trigger: Stripe's events on the bus, a schedule, the user pool before it issues tokens, new rows of the table whose
   * sort keys begin so, or messages of the queue of deliveries.
   */
  trigger:
    | { events: 'stripe' }
    | { everyMinutes: number }
    | { userPool: 'tokens' }
    | { tableStream: { insertedSortKeys: string } }
    | { queue: 'deliveries' }
  timeoutSeconds: number
  access: Access & {
    /** Actions on the user pool that triggers it. */
    userPool?: readonly 'AdminGetUser'[]
  }
}

/** One run and its deadline. */
export interface Run {
  requestId: string
  deadline: Date
}

/** The Lambda handler of an asynchronous background function. Lambda retries when it throws. */
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
