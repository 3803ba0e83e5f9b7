/** From a presented token to the owner of its key, as far as a caller may know it. */
import { lookupKey } from '../api-keys/rows.ts'
import { hashRawKey, isIntactRawKey, isServiceKey } from '../auth/api-key.ts'
import { setBounded } from '../bounded-map.ts'
import { getRow } from '../table/read.ts'
import { fromRow } from '../table/rows.ts'
import type { InactiveReason } from './record.ts'

interface Owner {
  orgId: string
  keyId: string
}

const maxTokenLength = 256
/** The header of a JWT is a JSON object, `{"` in base64url. A JWT is longer than any key, and still not malformed. */
const jwtPattern = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/

/**
 * The owner of a presented key, or the reason why there is none to show. `orgId`: the only organization whose keys the caller may
 * know; undefined for all.
 */
export async function ownerOf(token: string, orgId: string | undefined): Promise<Owner | InactiveReason> {
  if (jwtPattern.test(token)) return 'unknown'
  if (token.length > maxTokenLength || !isIntactRawKey(token)) return 'malformed'
  if (isServiceKey(token)) return 'unknown'
  const maySee = (owner: Owner | undefined): owner is Owner =>
    owner !== undefined && (orgId === undefined || owner.orgId === orgId)
  const hash = hashRawKey(token)
  const known = owners.get(hash)
  // A foreign key must take as long as an unknown one, so it is read each time.
  if (maySee(known)) return known
  const owner = await readOwner(hash)
  if (!maySee(owner)) return 'unknown'
  setBounded(owners, hash, owner, maxOwners)
  return owner
}

/** Owners that this process has read, by hash. An owner never changes. */
const owners = new Map<string, Owner>()
const maxOwners = 10_000

async function readOwner(hash: string): Promise<Owner | undefined> {
  const row = fromRow<{ org_id: string; key_id: string }>(await getRow(lookupKey(hash)))
  return row && { orgId: row.org_id, keyId: row.key_id }
}
