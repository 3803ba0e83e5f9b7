/**
 * The only way to write an org's rows: one transaction holds the changes and their audit event. So there is no change
 * without an event, and no event without a change. The event has a new row of its own, so writers do not meet there.
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
import type { RequestContext } from '../audit/request-context.ts'
import { ProblemError } from '../problem.ts'
import { realTiming, type Timing } from '../runtime/timing.ts'
import { table } from '../table/client.ts'
import type { Write } from '../table/writes.ts'

/** The change that an operation makes: its writes, and its audit event. */
export interface Mutation extends Omit<AuditDraft, 'changes'> {
  /** The changed fields, for the event. */
  diff: AuditDraft['changes']
  writes: readonly Write[]
  /** The actor, if it is not the caller. */
  actor?: Actor
}

/** Combines two changes into one. The event is that of the first one that changes a field. */
export function together(first: Mutation, second: Mutation | undefined): Mutation {
  if (!second || second.diff.length === 0) return first
  if (first.diff.length === 0) return second
  return { ...first, diff: [...first.diff, ...second.diff], writes: [...first.writes, ...second.writes] }
}

/**
 * The data that an operation read has changed before its write. The pipeline runs the operation again with a fresh
 * read.
 */
export class StaleReadError extends Error {
  override readonly name = 'StaleReadError'
}

/**
 * A random pause up to this limit follows each lost race (full jitter). The limit doubles each time, up to
 * `maxPauseMs`.
 */
const firstPauseMs = 50
const maxPauseMs = 2000

/**
 * Writes a change. Retries lost races for its rows until `deadline`.
 *
 * @throws the error of `refuse`, when a condition of the change fails
 * @throws ProblemError `service_unavailable` when the deadline ends the retries
 */
export async function commit(
  mutation: Mutation,
  context: RequestContext,
  deadline: Date,
  timing: Timing = realTiming,
): Promise<AuditEvent> {
  const { writes, actor, diff, ...draft } = mutation
  const { event, write } = append({ ...draft, changes: diff }, actor ? { ...context, actor } : context, timing.now())
  await transact([...writes, write], deadline, timing)
  return event
}

/**
 * Writes rows that are not settings of an org (counters, gauges): all or none, without an event. Retries lost races
 * until `deadline`.
 *
 * @throws the error of `refuse`, when a condition fails
 * @throws ProblemError `service_unavailable` when the deadline ends the retries
 */
export const writeTogether = (writes: readonly Write[], deadline: Date): Promise<void> =>
  transact(writes, deadline, realTiming)

async function transact(writes: readonly Write[], deadline: Date, timing: Timing): Promise<void> {
  const [first, ...others] = writes
  for (let attempt = 0; ; attempt++) {
    try {
      // Concurrent updates of one row queue up; concurrent transactions on it cancel each other.
      if (first?.item.Update && others.length === 0) await table().send(new UpdateCommand(first.item.Update))
      else await table().send(new TransactWriteCommand({ TransactItems: writes.map(({ item }) => item) }))
      return
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException && first) return refuseUnlessDone(error, first)
      if (error instanceof TransactionCanceledException) refuseFailedConditions(error, writes)
      else if (!(error instanceof TransactionConflictException)) throw error
      await pauseBeforeNext(attempt, deadline, error, timing)
    }
  }
}

/** DynamoDB recognizes a repeated transaction by its token. A repeated single update must be recognized by the row. */
function refuseUnlessDone(error: ConditionalCheckFailedException, { refuse, isDone }: Write): void {
  const existing = error.Item && unmarshall(error.Item)
  if (existing && isDone?.(existing)) return
  throw refuse?.(existing) ?? error
}

/** Throws unless the cancellation is only a lost race: for a failed condition of the change, or a fault of ours. */
function refuseFailedConditions(error: TransactionCanceledException, writes: readonly Write[]): void {
  const reasons = error.CancellationReasons ?? []
  for (const [index, reason] of reasons.entries()) {
    const refuse = writes[index]?.refuse
    // The document client does not unmarshall the item of a failed condition.
    if (reason.Code === 'ConditionalCheckFailed' && refuse) throw refuse(reason.Item && unmarshall(reason.Item))
  }
  if (!reasons.every(({ Code = 'None' }) => races.has(Code))) throw error
}

/** What another request's writes, or too many of them, do to a transaction. */
const races = new Set(['None', 'TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'])

/**
 * Waits before the next attempt after a lost race.
 *
 * @throws ProblemError `service_unavailable` when the pause would pass the deadline
 */
export async function pauseBeforeNext(
  attempt: number,
  deadline: Date,
  cause: Error,
  timing: Timing = realTiming,
): Promise<void> {
  const pauseMs = timing.random() * Math.min(maxPauseMs, firstPauseMs * 2 ** attempt)
  if (timing.now().getTime() + pauseMs >= deadline.getTime()) {
    throw new ProblemError('service_unavailable', 'Too many concurrent changes in this organization. Retry.', {
      headers: { 'retry-after': '1' },
      cause,
    })
  }
  await timing.sleep(pauseMs)
}
