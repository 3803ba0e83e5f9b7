import { getKey } from '../../shared/api-keys/find.ts'
import { requireGrantable, requireIssuer, requireNarrower } from '../../shared/api-keys/grant.ts'
import { issueKey } from '../../shared/api-keys/issue.ts'
import { takePlace } from '../../shared/api-keys/limit.ts'
import { keyState, overlapEnd } from '../../shared/api-keys/record.ts'
import { keyRotated, notRotatable } from '../../shared/api-keys/rotate.ts'
import { actorOf } from '../../shared/auth/caller.ts'
import { serve } from '../../shared/http/serve.ts'
import { rotateApiKey } from './contract.ts'
import { issuedAnswer } from './issue.ts'

/** Replaces a key by one with the same configuration. Of two concurrent rotations, exactly one succeeds. */
export const handler = serve(rotateApiKey, async ({ caller, params, body, now, commit }) => {
  requireIssuer(caller)
  const key = await getKey(caller.orgId, params.key_id)
  requireGrantable(caller, key.scopes)
  requireNarrower(caller, key)
  if (keyState(key, now) !== 'active') throw notRotatable(keyState(key, now))
  const replacement = issueKey(key, actorOf(caller), now, key.id)
  const retiredAt = overlapEnd(key, body.overlap_seconds, now)
  // Without an overlap the replacement has the place of the key.
  if (body.overlap_seconds > 0) await takePlace(caller.orgId, now)
  return commit(keyRotated(caller.orgId, key, replacement, retiredAt, now), issuedAnswer(replacement, now))
})
