import { endCooldown } from '../../shared/execution/health-entity.ts'
import { endpointKept, type LocalTargetRecord } from '../../shared/execution/local-target.ts'
import { getChangeableTarget, keyOf, localTargets } from '../../shared/execution/local-target-entity.ts'
import { commitUpdate, requireRecordMatch } from '../../shared/http/record-answers.ts'
import { serve } from '../../shared/http/serve.ts'
import { presentFields } from '../../shared/patch-fields.ts'
import { encrypt } from '../../shared/secrets/encrypt.ts'
import { updateLocalTarget } from './contract.ts'

const noKey = { ciphertext: null, masked: null }

/** Applies a patch. A new endpoint requires the key again, to prevent exfiltration. */
export const handler = serve(updateLocalTarget, async ({ caller, params, body, headers, now, commit, once }) => {
  const { orgId } = caller
  const before = await getChangeableTarget(orgId, params.target_id)
  const { api_key, ...fields } = body
  const verified = endpointKept(before, body)
  requireRecordMatch(headers, localTargets, before)
  const encrypted = api_key && (await once([], () => encrypt(api_key, keyOf(orgId, before.id))))
  const key = encrypted ? { ...encrypted, key_version: before.key_version + 1 } : api_key === null ? noKey : {}
  const updated_at = now.toISOString()
  const after: LocalTargetRecord = { ...before, ...presentFields(fields), ...key, ...verified, updated_at }
  const answer = await commitUpdate({ caller, commit }, localTargets, before, after)
  if (encrypted || after.endpoint !== before.endpoint) await endCooldown(orgId, before.id, now)
  return answer
})
