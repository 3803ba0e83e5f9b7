/** The deadline and the id of a run, from the context of its Lambda. */
import { object, text } from '../untrusted.ts'

/** Time reserved for the answer before the Lambda times out. */
export const answerMarginMs = 1000
/** For callers without a Lambda context. HTTP APIs time out after 30 s. */
const defaultBudgetMs = 25_000

/** The deadline of the work: before the Lambda's timeout, so that this code answers and not API Gateway. */
export const deadlineOf = (context: unknown, now: Date): Date =>
  new Date(now.getTime() + remainingMs(context) - answerMarginMs)

function remainingMs(context: unknown): number {
  const { getRemainingTimeInMillis } = object(context)
  const remaining: unknown = typeof getRemainingTimeInMillis === 'function' ? getRemainingTimeInMillis() : undefined
  return typeof remaining === 'number' && Number.isFinite(remaining) ? remaining : defaultBudgetMs
}

export const requestIdOf = (context: unknown): string | undefined => text(object(context).awsRequestId)
