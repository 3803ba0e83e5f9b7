/** The time of a key's last use. */
import { ProblemError } from '../problem.ts'
import { log } from '../runtime/log.ts'
import type { RowKey } from '../table/rows.ts'
import { updateRow } from '../table/update.ts'

/** `last_used_at` is written at most once in this time, so most reads cause no write. It lags by at most this time. */
const stampEveryMs = 4 * 60 * 1000
/** A request waits no longer than this for the stamp, which it does not need. */
const stampTimeoutMs = 1000

/**
 * Stores the time of use in the row of a key, unless the stored time is recent. Losing a stamp to a concurrent change does no
 * harm.
 */
export async function stampLastUsed(
  row: RowKey,
  { last_used_at }: { last_used_at: string | null },
  now: Date,
): Promise<void> {
  if (last_used_at !== null && now.getTime() - Date.parse(last_used_at) < stampEveryMs) return
  await updateRow(
    row,
    {
      UpdateExpression: 'SET last_used_at = :now',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeValues: { ':now': now.toISOString() },
    },
    AbortSignal.timeout(stampTimeoutMs),
  )
}

/** For the failure of a stamp, which no answer depends on. */
export function logUnnoted(error: unknown): void {
  // A refused key has no use to note, and its request gets the refusal.
  if (!(error instanceof ProblemError)) log.debug('last_used_at was not stamped', { error: error as Error })
}
