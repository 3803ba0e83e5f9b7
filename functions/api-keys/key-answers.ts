/** How a key record is answered. Its `ETag` leaves `last_used_at` out: use alone does not make a new version. */
import { type KeyRecord, type KeyView, toKeyView } from '../../shared/api-keys/record.ts'
import { etagOf, type JsonAnswer } from '../../shared/http/answer.ts'

/** The part of the view that the `ETag` covers. */
export const versionedPart = ({ last_used_at: _lastUsed, ...rest }: KeyView) => rest

export const keyAnswer = (key: KeyRecord, now: Date): JsonAnswer<KeyView, 200> => {
  const body = toKeyView(key, now)
  return { status: 200, body, headers: { etag: etagOf(versionedPart(body)) } }
}
