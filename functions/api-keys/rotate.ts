import { getKey, issueKey, keyRotated, notRotatable } from '../../shared/api-keys/entity.ts'
import { keyState, overlapEnd } from '../../shared/api-keys/record.ts'
import { actorOf } from '../../shared/auth/caller.ts'
import { requireGrantable, requireNarrower } from '../../shared/auth/grant.ts'
import { serve } from '../../shared/http/serve.ts'
import { rotateApiKey } from './contract.ts'
import { issuedAnswer } from './issue.ts'

/** Replaces a key by one with the same configuration; of two rotations at once exactly one wins. */
export const handler = serve(rotateApiKey, async ({ caller, params, body, now, commit }) => {
  const key = await getKey(caller.orgId, params.key_id)
  requireGrantable(caller, key.scopes)
  requireNarrower(caller, key)
  if (keyState(key, now) !== 'active') throw notRotatable(keyState(key, now))
  const replacement = issueKey(key, actorOf(caller), now, key.id)
  const retiredAt = overlapEnd(key, body.overlap_seconds, now)
  return commit(keyRotated(caller.orgId, key, replacement, retiredAt, now), issuedAnswer(replacement, now))
})
