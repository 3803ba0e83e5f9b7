import { connections } from '../../shared/cloud-connections/entity.ts'
import { newKey } from '../../shared/cloud-connections/new-key.ts'
import type { ConnectionRecord } from '../../shared/cloud-connections/record.ts'
import { recordCreatedAnswer } from '../../shared/http/record-answers.ts'
import { serve } from '../../shared/http/serve.ts'
import { newId } from '../../shared/ids.ts'
import { baseUrlFor } from '../../shared/providers/key-fields.ts'
import { recordCreated, requireRoom } from '../../shared/storage/record.ts'
import { createConnection } from './contract.ts'

/** Stores a connection together with what its provider says of the key. */
export const handler = serve(createConnection, async ({ caller: { orgId }, body, now, commit }) => {
  const { api_key, base_url: given, ...settings } = body
  const { provider } = settings
  const base_url = baseUrlFor(provider, given)
  await requireRoom(connections, orgId)
  const id = newId('conn')
  const key = { ...(await newKey({ orgId, id, now }, { provider, base_url }, api_key)), key_version: 1 }
  const at = now.toISOString()
  const fields = { id, ...settings, base_url, created_at: at, updated_at: at }
  const connection: ConnectionRecord = { ...fields, ...key, version: 1 }
  const answer = recordCreatedAnswer(connections, connection, `/api/v2/settings/cloud-connections/${id}`)
  return commit(recordCreated(connections, orgId, connection), answer)
})
