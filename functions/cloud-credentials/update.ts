import { credentials, keyOf } from '../../shared/cloud-credentials/entity.ts'
import type { CredentialRecord } from '../../shared/cloud-credentials/record.ts'
import { endCooldown } from '../../shared/execution/health-entity.ts'
import { commitUpdate, requireRecordMatch } from '../../shared/http/record-answers.ts'
import { serve } from '../../shared/http/serve.ts'
import { presentFields } from '../../shared/patch-fields.ts'
import { patchedBaseUrl } from '../../shared/providers/key-fields.ts'
import { encrypt } from '../../shared/secrets/encrypt.ts'
import { getRecord } from '../../shared/storage/record.ts'
import { updateCredential } from './contract.ts'

/** Applies a patch; a new key replaces the stored ciphertext. */
export const handler = serve(updateCredential, async ({ caller, params, body, headers, now, commit, once }) => {
  const { orgId } = caller
  const before = await getRecord(credentials, orgId, params.credential_id)
  const { api_key, base_url: _patched, ...plain } = body
  const base_url = patchedBaseUrl(before, body)
  requireRecordMatch(headers, credentials, before)
  const replaced = api_key && {
    ...(await once([], () => encrypt(api_key, keyOf(orgId, before.id)))),
    key_version: before.key_version + 1,
  }
  const updated_at = now.toISOString()
  const after: CredentialRecord = { ...before, ...presentFields(plain), base_url, ...replaced, updated_at }
  const answer = await commitUpdate({ caller, commit }, credentials, before, after)
  if (replaced) await endCooldown(orgId, before.id, now)
  return answer
})
