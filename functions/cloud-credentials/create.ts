import { credentials, keyOf } from '../../shared/cloud-credentials/entity.ts'
import type { CredentialRecord } from '../../shared/cloud-credentials/record.ts'
import { recordCreatedAnswer } from '../../shared/http/record-answers.ts'
import { serve } from '../../shared/http/serve.ts'
import { newId } from '../../shared/ids.ts'
import { baseUrlFor } from '../../shared/providers/key-fields.ts'
import { encrypt } from '../../shared/secrets/encrypt.ts'
import { recordCreated, requireRoom } from '../../shared/storage/record.ts'
import { createCredential } from './contract.ts'

/** Stores a key for a provider. */
export const handler = serve(createCredential, async ({ caller: { orgId }, body, now, commit }) => {
  const { api_key, provider, name, enabled } = body
  const base_url = baseUrlFor(provider, body.base_url)
  await requireRoom(credentials, orgId)
  const id = newId('cred')
  const key = { ...(await encrypt(api_key, keyOf(orgId, id))), key_version: 1 }
  const at = now.toISOString()
  const fields = { id, provider, name, base_url, enabled, created_at: at, updated_at: at }
  const credential: CredentialRecord = { ...fields, ...key, version: 1 }
  const answer = recordCreatedAnswer(credentials, credential, `/api/v2/settings/cloud-credentials/${id}`)
  return commit(recordCreated(credentials, orgId, credential), answer)
})
