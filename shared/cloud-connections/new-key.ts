/** A new key of a connection: the provider's verdict on it, and its ciphertext. */
import { attempt, type KeyedProvider } from '../providers/verify.ts'
import { encrypt } from '../secrets/encrypt.ts'
import type { Secret } from '../secrets/secret.ts'
import { keyOf } from './entity.ts'
import { afterAttempt, unverified } from './record.ts'

/** Tests a key with its provider and encrypts it. The verification of the previous key does not carry over. */
export async function newKey(
  { orgId, id, now }: { orgId: string; id: string; now: Date },
  used: KeyedProvider,
  key: Secret,
) {
  const verification = afterAttempt(unverified, await attempt(used, key), now)
  return { ...verification, ...(await encrypt(key, keyOf(orgId, id))) }
}
