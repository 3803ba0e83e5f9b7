/** What the context of a Lambda says of a run: when its work must be over, and its id. */

/** The time that is kept to answer when the Lambda's own time runs out. */
export const answerMarginMs = 1000
/** HTTP APIs give up on an integration after 30 s; where no Lambda says how long it has, this is taken. */
const defaultBudgetMs = 25_000

/** When work must be over, as Lambda's context tells: some time before the end, so that the end is ours. */
export const deadlineOf = (context: unknown, now: Date): Date =>
  new Date(now.getTime() + remainingMs(context) - answerMarginMs)

function remainingMs(context: unknown): number {
  const { getRemainingTimeInMillis } = object(context)
  const remaining: unknown = typeof getRemainingTimeInMillis === 'function' ? getRemainingTimeInMillis() : undefined
  return typeof remaining === 'number' && Number.isFinite(remaining) ? remaining : defaultBudgetMs
}

export const requestIdOf = (context: unknown): string | undefined => text(object(context).awsRequestId)

/** Text as UTF-8 can hold it: it may end in an audit event, whose hash must hold after it was stored. */
const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value.toWellFormed() : undefined

const object = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
