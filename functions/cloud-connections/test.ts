import { connections, connectionTested, keyOf } from '../../shared/cloud-connections/entity.ts'
import { afterAttempt, type ConnectionRecord } from '../../shared/cloud-connections/record.ts'
import { endCooldown } from '../../shared/execution/health-entity.ts'
import { ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { attempt } from '../../shared/providers/verify.ts'
import { decrypt } from '../../shared/secrets/decrypt.ts'
import { getRecord } from '../../shared/storage/record.ts'
import { testConnection } from './contract.ts'

/** Verifies the key of a connection with its provider, and stores the verdict. */
export const handler = serve(testConnection, async ({ caller: { orgId }, params, now, commit, once }) => {
  const connection = await getRecord(connections, orgId, params.connection_id)
  const { base_url, key_version } = connection
  const attempted = await once([base_url, key_version], async () =>
    attempt(connection, await decrypt(connection.ciphertext, keyOf(orgId, connection.id))),
  )
  const after: ConnectionRecord = { ...connection, ...afterAttempt(connection, attempted, now) }
  const answer = ok({
    success: attempted.verdict === 'verified',
    latency_ms: attempted.latencyMs,
    status_code: attempted.status,
    model_count: attempted.models?.length ?? null,
    error: attempted.error,
  })
  const kept = await commit(connectionTested(orgId, connection, after), answer)
  if (attempted.verdict === 'verified') await endCooldown(orgId, connection.id, now)
  return kept
})
