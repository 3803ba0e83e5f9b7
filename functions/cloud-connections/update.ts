import { connections } from '../../shared/cloud-connections/entity.ts'
import { newKey } from '../../shared/cloud-connections/new-key.ts'
import type { ConnectionRecord } from '../../shared/cloud-connections/record.ts'
import { endCooldown } from '../../shared/execution/health-entity.ts'
import { commitUpdate, requireRecordMatch } from '../../shared/http/record-answers.ts'
import { serve } from '../../shared/http/serve.ts'
import { presentFields } from '../../shared/patch-fields.ts'
import { patchedBaseUrl } from '../../shared/providers/key-fields.ts'
import { getRecord } from '../../shared/storage/record.ts'
import { updateConnection } from './contract.ts'

/** Applies a patch. Verifies a new key before it answers, once per address. */
export const handler = serve(updateConnection, async ({ caller, params, body, headers, now, commit, once }) => {
  const { orgId } = caller
  const before = await getRecord(connections, orgId, params.connection_id)
  const { id, provider, key_version } = before
  const { api_key, base_url: _patched, ...plain } = body
  const base_url = patchedBaseUrl(before, body)
  requireRecordMatch(headers, connections, before)
  const key = api_key && {
    ...(await once([base_url], () => newKey({ orgId, id, now }, { provider, base_url }, api_key))),
    key_version: key_version + 1,
  }
  const updated_at = now.toISOString()
  const after: ConnectionRecord = { ...before, ...presentFields(plain), base_url, ...key, updated_at }
  const answer = await commitUpdate({ caller, commit }, connections, before, after)
  if (key) await endCooldown(orgId, id, now)
  return answer
})
