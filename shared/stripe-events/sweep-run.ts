/** One run of the sweep: its time, what it has done so far, and how its parts fail without taking the others along. */
import type { SyncOutcome, SyncRequest } from '../billing/sync.ts'
import { ProblemError } from '../problem.ts'
import type { Run } from '../runtime/background.ts'
import { concurrently } from '../runtime/concurrently.ts'
import { log } from '../runtime/log.ts'
import { emitMetrics } from '../runtime/metrics.ts'
import type { Timing } from '../runtime/timing.ts'
import type { EventPage, EventQuery } from './list-events.ts'

/** All that a sweep does to the world beside the table; a simulation has its own. */
export interface SweepPorts {
  timing: Timing
  sync(request: SyncRequest): Promise<SyncOutcome>
  listEvents(query: EventQuery): Promise<EventPage>
}

/** What a run has done, for its log line. */
export interface SweepSummary {
  eventsCompared: number
  eventsLost: number
  customersSeen: number
  synced: number
  corrected: number
  failed: number
}

/** What a run leaves alone because others are likely to be at it. */
export interface Patience {
  /** Events that are younger are on their way through the bus. */
  settledSeconds: number
  /** Customers that were asked about since then need not be asked about again. */
  restMs: number
}

export const asUsual: Patience = { settledSeconds: 5 * 60, restMs: 30 * 60 * 1000 }
/** For after an accident, and for trying: whatever Stripe says now. */
export const atOnce: Patience = { settledSeconds: 0, restMs: 0 }

export interface Customer {
  orgId: string
  customerId: string
}

/** Stripe allows 25 requests a second in test mode; a sync is one or a few, and others want some too. */
const syncsAtOnce = 4
/** So many failures in a row are not the customers' fault: the run ends instead of hammering. */
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

  /** Whether everything fails, so that going on makes no sense. */
  get isHopeless(): boolean {
    return this.#failuresInARow >= maxFailuresInARow
  }

  /** Whether this share of the run's time is over, or going on makes no sense. */
  mustStop(share: number): boolean {
    const budgetMs = this.#run.deadline.getTime() - this.startedAt.getTime()
    return this.isHopeless || this.ports.timing.now().getTime() - this.startedAt.getTime() >= share * budgetMs
  }

  /**
   * Brings customers up to date until this share of the time is over, and does `then` for each that was; false when not all
   * had their turn.
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

  /** Brings one customer up to date; false when that did not go well. */
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

  /** Runs a part; its failure is counted and does not stop the others. What another sync is at work on is left to it. */
  async attempt<T>(part: () => Promise<T>, told: Record<string, unknown> = {}): Promise<T | undefined> {
    try {
      const result = await part()
      this.#failuresInARow = 0
      return result
    } catch (error) {
      if (error instanceof ProblemError && error.code === 'conflict') return undefined
      this.summary.failed += 1
      this.#failuresInARow += 1
      const about = { request_id: this.#run.requestId, ...told }
      log.error('a part of the sweep failed', { ...about, error: error as Error })
      emitMetrics('sweep failure', { SweepFailures: 1 }, about)
      return undefined
    }
  }
}
