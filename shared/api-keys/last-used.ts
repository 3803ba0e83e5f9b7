/** The time of an API key's last use. */
import { updateRow } from '../table/update.ts'
import type { KeyRecord } from './record.ts'
import { recordKey } from './rows.ts'

/** `last_used_at` is written at most once in this time, so most reads cause no write. It lags by at most this time. */
const stampEveryMs = 4 * 60 * 1000
/** A request waits no longer than this for the stamp, which it does not need. */
const stampTimeoutMs = 1000

/** Stores the time of use, unless the stored time is recent. Losing a stamp to a concurrent change does no harm. */
export async function stampLastUsed(orgId: string, key: KeyRecord, now: Date): Promise<void> {
  if (key.last_used_at !== null && now.getTime() - Date.parse(key.last_used_at) < stampEveryMs) return
  await updateRow(
    recordKey(orgId, key.id),
    {
      UpdateExpression: 'SET last_used_at = :now',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeValues: { ':now': now.toISOString() },
    },
    AbortSignal.timeout(stampTimeoutMs),
  )
}
