import { connections, keyOf } from '../../shared/cloud-connections/entity.ts'
import { ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { attempt, upstreamProblem } from '../../shared/providers/verify.ts'
import { decrypt } from '../../shared/secrets/decrypt.ts'
import { getRecord } from '../../shared/storage/record.ts'
import { listConnectionModels } from './contract.ts'

/** The models that the key of a connection can use now. */
export const handler = serve(listConnectionModels, async ({ caller: { orgId }, params }) => {
  const connection = await getRecord(connections, orgId, params.connection_id)
  const attempted = await attempt(connection, await decrypt(connection.ciphertext, keyOf(orgId, connection.id)))
  if (!attempted.models) throw upstreamProblem(attempted)
  return ok({ models: attempted.models })
})
