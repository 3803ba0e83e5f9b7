import { getKey } from '../../shared/api-keys/find.ts'
import { keyState } from '../../shared/api-keys/record.ts'
import { keyRevoked } from '../../shared/api-keys/revoke.ts'
import { serve } from '../../shared/http/serve.ts'
import { revokeApiKey } from './contract.ts'
import { keyAnswer } from './key-answers.ts'

/** Revokes a key immediately. A second call changes nothing. */
export const handler = serve(revokeApiKey, async ({ caller, params, body, now, commit }) => {
  const key = await getKey(caller.orgId, params.key_id)
  if (keyState(key, now) === 'revoked') return { ...keyAnswer(key, now), unchanged: true }
  const { mutation, revoked } = keyRevoked(caller.orgId, key, body.reason, now)
  return commit(mutation, keyAnswer(revoked, now))
})
