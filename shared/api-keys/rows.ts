/**
 * Two rows store an API key. The record is in the org's partition; every request with the key reads it consistently. The
 * look-up row is under the hash of the raw key and never changes: it names the key, its org and its rate limit. Only the
 * look-up row holds the hash. So one write revokes a key, and the next request sees it.
 */
import { orgPartition, type RowKey } from '../table/rows.ts'

export const recordPrefix = 'KEY#'
export const recordKey = (orgId: string, keyId: string): RowKey => ({
  pk: orgPartition(orgId),
  sk: recordPrefix + keyId,
})
export const lookupKey = (hash: string): RowKey => ({ pk: `KEYHASH#${hash}`, sk: 'KEYHASH' })
