/** Finding an API key by its id or by its raw value. */
import { hashRawKey } from '../auth/api-key.ts'
import { setBounded } from '../bounded-map.ts'
import { notFound } from '../problem.ts'
import { getRow } from '../table/read.ts'
import { fromRow } from '../table/rows.ts'
import { type KeyRecord, keyFields } from './record.ts'
import { lookupKey, recordKey } from './rows.ts'

/** @throws ProblemError `not_found` */
export async function getKey(orgId: string, keyId: string): Promise<KeyRecord> {
  const key = await findKey(orgId, keyId)
  if (!key) throw notFound()
  return key
}

/** The key, or undefined if it does not exist. For authentication, which handles a missing key itself. */
export async function findKey(orgId: string, keyId: string): Promise<KeyRecord | undefined> {
  const row = await getRow(recordKey(orgId, keyId), keyFields)
  return row && fromRow<KeyRecord>(row)
}

/**
 * Owners of keys, as this process has read them. Owners never change, so the cache needs no expiry. Each request reads from
 * the record whether the key still works.
 */
const owners = new Map<string, KeyOwner>()
const maxOwners = 1000

export interface KeyOwner {
  readonly orgId: string
  readonly keyId: string
  /** The limit when this process last read it; undefined for the default. Only the record knows the limit of now. */
  rateLimitPerMinute: number | undefined
}

interface LookupRecord {
  org_id: string
  key_id: string
  rate_limit_per_minute?: number
}

/** The org and id of a raw key; undefined for a key that was never issued. */
export async function lookUpKey(rawKey: string): Promise<KeyOwner | undefined> {
  const hash = hashRawKey(rawKey)
  const known = owners.get(hash)
  if (known) return known
  const row = await getRow(lookupKey(hash))
  if (!row) return undefined
  const { org_id: orgId, key_id: keyId, rate_limit_per_minute: rateLimitPerMinute } = fromRow<LookupRecord>(row)
  const owner = { orgId, keyId, rateLimitPerMinute }
  setBounded(owners, hash, owner, maxOwners)
  return owner
}
