/** One run of the sweep: its time budget, its summary, and the isolation of failures. */
import type { SyncOutcome, SyncRequest } from '../billing/sync.ts'
import { ProblemError } from '../problem.ts'
import type { Run } from '../runtime/background.ts'
import { concurrently } from '../runtime/concurrently.ts'
import { log } from '../runtime/log.ts'
import { emitMetrics } from '../runtime/metrics.ts'
import type { Timing } from '../runtime/timing.ts'
import type { EventPage, EventQuery } from './list-events.ts'

/** The side effects of a sweep outside the table. A simulation replaces them. */
export interface SweepPorts {
  timing: Timing
  sync(request: SyncRequest): Promise<SyncOutcome>
  listEvents(query: EventQuery): Promise<EventPage>
}

/** The summary of a run, for its log line. */
export interface SweepSummary {
  eventsCompared: number
  eventsLost: number
  customersSeen: number
  synced: number
  corrected: number
  failed: number
}

/** Limits that keep a run away from recent work of others. */
export interface Patience {
  /** Younger events are still on their way through the bus. */
  settledSeconds: number
  /** Customers with a sync within this time need no other one. */
  restMs: number
}

export const asUsual: Patience = { settledSeconds: 5 * 60, restMs: 30 * 60 * 1000 }
/** For recovery after an incident, and for trials: no limits. */
export const atOnce: Patience = { settledSeconds: 0, restMs: 0 }

export interface Customer {
  orgId: string
  customerId: string
}

/** Stripe allows 25 requests per second in test mode. A sync needs a few, and other callers need some too. */
const syncsAtOnce = 4
/** After this many consecutive failures, the cause is not the customers. The run ends instead of overloading Stripe. */
const maxFailuresInARow = 10

export class SweepRun {
  readonly summary: SweepSummary = {
    eventsCompared: 0,
    eventsLost: 0,
    customersSeen: 0,
    synced: 0,
    corrected: 0,
    failed: 0,
  }
  readonly startedAt: Date
  readonly ports: SweepPorts
  readonly patience: Patience
  readonly #run: Run
  #failuresInARow = 0

  constructor(run: Run, ports: SweepPorts, patience: Patience) {
    this.#run = run
    this.ports = ports
    this.patience = patience
    this.startedAt = ports.timing.now()
  }

  /** Whether everything fails, so that the run should end. */
  get isHopeless(): boolean {
    return this.#failuresInARow >= maxFailuresInARow
  }

  /** Whether the run has used this share of its time, or should end. */
  mustStop(share: number): boolean {
    const budgetMs = this.#run.deadline.getTime() - this.startedAt.getTime()
    return this.isHopeless || this.ports.timing.now().getTime() - this.startedAt.getTime() >= share * budgetMs
  }

  /**
   * Syncs customers until this share of the time is used, and calls `then` for each synced one. False if some had no
   * turn.
   */
  async syncAll<T extends Customer>(
    customers: Iterable<T>,
    share: number,
    then: (customer: T) => Promise<void> = async () => {},
  ): Promise<boolean> {
    let isComplete = true
    await concurrently(syncsAtOnce, customers, async (customer) => {
      if (this.mustStop(share)) isComplete = false
      else if (await this.#sync(customer)) await then(customer)
    })
    return isComplete
  }

  /** Syncs one customer; false after a failure. */
  async #sync({ orgId, customerId }: Customer): Promise<boolean> {
    const { deadline, requestId } = this.#run
    const context = { requestId }
    const outcome = await this.attempt(
      () => this.ports.sync({ orgId, customerId, source: 'sweep', context, deadline }),
      { org_id: orgId },
    )
    if (!outcome) return false
    this.summary.synced += 1
    if (!outcome.changed) return true
    this.summary.corrected += 1
    const fields = outcome.changes.map(({ field }) => field)
    emitMetrics(
      'billing drift corrected',
      { BillingDriftCorrected: 1 },
      { org_id: orgId, fields, request_id: requestId },
    )
    return true
  }

  /**
   * Runs a part. Its failure is counted and does not stop the others. Skips customers that another sync is working on.
   */
  async attempt<T>(part: () => Promise<T>, subject: Record<string, unknown> = {}): Promise<T | undefined> {
    try {
      const result = await part()
      this.#failuresInARow = 0
      return result
    } catch (error) {
      if (error instanceof ProblemError && error.code === 'conflict') return undefined
      this.summary.failed += 1
      this.#failuresInARow += 1
      const about = { request_id: this.#run.requestId, ...subject }
      log.error('a part of the sweep failed', { ...about, error: error as Error })
      emitMetrics('sweep failure', { SweepFailures: 1 }, about)
      return undefined
    }
  }
}
