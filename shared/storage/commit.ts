/**
 * The one way to write an org's rows: the changes, their audit event and the move of the chain's head, in one
 * transaction, so that there is no change without its record and no record of what did not happen.
 */
import {
  ConditionalCheckFailedException,
  TransactionCanceledException,
  TransactionConflictException,
} from '@aws-sdk/client-dynamodb'
import { TransactWriteCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'
import { append } from '../audit/append.ts'
import type { Actor, AuditDraft, AuditEvent } from '../audit/event.ts'
import { readHead } from '../audit/head.ts'
import type { RequestContext } from '../audit/request-context.ts'
import { ProblemError } from '../problem.ts'
import { emitMetrics } from '../runtime/metrics.ts'
import { realTiming, type Timing } from '../runtime/timing.ts'
import { table } from '../table/client.ts'
import type { Write } from '../table/writes.ts'

/** What an operation wants done: its writes, and the event that tells of them. */
export interface Change extends AuditDraft {
  writes: readonly Write[]
  /** Who did it, where that is not the caller. */
  actor?: Actor
  /** How long events are kept from this change on, in days. */
  auditRetentionDays?: number
}

/** A change and what else changes with it, as one: the event is of the first that changes anything. */
export function together(first: Change, second: Change | undefined): Change {
  if (!second || second.changes.length === 0) return first
  if (first.changes.length === 0) return second
  return { ...first, changes: [...first.changes, ...second.changes], writes: [...first.writes, ...second.writes] }
}

/** What an operation had read has changed before it wrote; the pipeline runs the operation again, on a fresh read. */
export class StaleReadError extends Error {
  override readonly name = 'StaleReadError'
}

/** A lost race is followed by a pause between 0 and this, doubled each time up to the cap: full jitter. */
const firstPauseMs = 50
const maxPauseMs = 2000

/**
 * Writes a change. Lost races for the head of the chain are run again, from a fresh read, until `deadline`.
 *
 * @throws what the failed write's `refuse` makes, when a condition of the change itself does not hold
 * @throws ProblemError `service_unavailable` when the races are still being lost at the deadline
 */
export async function commit(
  change: Change,
  context: RequestContext,
  deadline: Date,
  timing: Timing = realTiming,
): Promise<AuditEvent> {
  const { writes, actor, auditRetentionDays, ...draft } = change
  for (let attempt = 0; ; attempt++) {
    const head = await readHead(context.orgId)
    const retentionDays = auditRetentionDays ?? head.retentionDays
    const appended = append({ ...head, retentionDays }, draft, actor ? { ...context, actor } : context)
    const all = [...writes, ...appended.writes]
    try {
      await table().send(new TransactWriteCommand({ TransactItems: all.map(({ item }) => item) }))
      if (attempt > 0) countConflicts(attempt, context)
      return appended.event
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error
      refuseFailedConditions(error, all)
      await pauseBeforeNext(attempt, deadline, error, timing).catch((tooLate: unknown) => {
        countConflicts(attempt + 1, context)
        throw tooLate
      })
    }
  }
}

/** One line for all the races that a change has lost; a change that loses none costs nothing. */
const countConflicts = (AuditConflicts: number, { orgId, requestId }: RequestContext): void =>
  emitMetrics('lost races for the audit chain', { AuditConflicts }, { org_id: orgId, request_id: requestId })

/**
 * Changes rows that are no state of an org (counters, gauges), all or none and without an event. Lost races are run again
 * until `deadline`.
 *
 * @throws what the failed change's `refuse` makes
 * @throws ProblemError `service_unavailable` when the races are still being lost at the deadline
 */
export async function changeTogether(changes: readonly Write[], deadline: Date): Promise<void> {
  const [first, ...others] = changes
  for (let attempt = 0; ; attempt++) {
    try {
      // Changes of one row wait for each other; transactions on one row cancel each other.
      if (first?.item.Update && others.length === 0) await table().send(new UpdateCommand(first.item.Update))
      else await table().send(new TransactWriteCommand({ TransactItems: changes.map(({ item }) => item) }))
      return
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException && first) return refuseUnlessDone(error, first)
      if (error instanceof TransactionCanceledException) refuseFailedConditions(error, changes)
      else if (!(error instanceof TransactionConflictException)) throw error
      await pauseBeforeNext(attempt, deadline, error)
    }
  }
}

/** Transactions carry a token by which the table knows a repeated one; a single change must show it itself. */
function refuseUnlessDone(error: ConditionalCheckFailedException, { refuse, isDone }: Write): void {
  const existing = error.Item && unmarshall(error.Item)
  if (existing && isDone?.(existing)) return
  throw refuse?.(existing) ?? error
}

/** Throws when the cancellation is more than a lost race: a condition of the change, or a fault of ours. */
function refuseFailedConditions(error: TransactionCanceledException, writes: readonly Write[]): void {
  const reasons = error.CancellationReasons ?? []
  for (const [index, reason] of reasons.entries()) {
    const refuse = writes[index]?.refuse
    // The document client leaves the item of a failed condition as DynamoDB sent it.
    if (reason.Code === 'ConditionalCheckFailed' && refuse) throw refuse(reason.Item && unmarshall(reason.Item))
  }
  const headIndex = writes.length - 1
  const isRace = (code: string | undefined, index: number) =>
    code === undefined ||
    code === 'None' ||
    code === 'TransactionConflict' ||
    code === 'ThrottlingError' ||
    code === 'ProvisionedThroughputExceeded' ||
    (code === 'ConditionalCheckFailed' && index === headIndex)
  if (!reasons.every(({ Code }, index) => isRace(Code, index))) throw error
}

/**
 * Waits before the next attempt of what lost a race.
 *
 * @throws ProblemError `service_unavailable` when the wait would end past the deadline
 */
export async function pauseBeforeNext(
  attempt: number,
  deadline: Date,
  cause: Error,
  timing: Timing = realTiming,
): Promise<void> {
  const pauseMs = timing.random() * Math.min(maxPauseMs, firstPauseMs * 2 ** attempt)
  if (timing.now().getTime() + pauseMs >= deadline.getTime()) {
    throw new ProblemError('service_unavailable', 'Too many changes of this organization at once; try again.', {
      headers: { 'retry-after': '1' },
      cause,
    })
  }
  await timing.sleep(pauseMs)
}
