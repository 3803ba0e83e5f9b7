/** A key that is written: what its provider says of it, and its ciphertext. */
import { attempt, type KeyedProvider } from '../providers/verify.ts'
import { encrypt } from '../secrets/encrypt.ts'
import type { Secret } from '../secrets/secret.ts'
import { keyOf } from './entity.ts'
import { afterAttempt, unverified } from './record.ts'

/** Tries a key and seals it. It begins unverified, whatever the key before it was. */
export async function newKey(
  { orgId, id, now }: { orgId: string; id: string; now: Date },
  used: KeyedProvider,
  key: Secret,
) {
  const verification = afterAttempt(unverified, await attempt(used, key), now)
  return { ...verification, ...(await encrypt(key, keyOf(orgId, id))) }
}
