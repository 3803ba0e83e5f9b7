import { noContent } from '../../shared/http/answer.ts'
import { requireMatch } from '../../shared/http/patch.ts'
import { serve } from '../../shared/http/serve.ts'
import { integrations } from '../../shared/integrations/entity.ts'
import { type Integration, toIntegrationRecord } from '../../shared/integrations/record.ts'
import { getRecord, recordDeleted } from '../../shared/storage/record.ts'
import { deleteIntegration } from './contract.ts'

/** Deletes an integration; a second time there is nothing to delete. */
export const handler = serve(deleteIntegration, async ({ caller, params, headers, commit }) => {
  const integration = await getRecord<Integration>(integrations, caller.orgId, params.integration_id)
  requireMatch(headers, toIntegrationRecord(integration))
  return commit(recordDeleted(integrations, caller.orgId, integration), noContent)
})
