import { resource } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { integrations } from '../../shared/integrations/entity.ts'
import { type Integration, toIntegrationRecord } from '../../shared/integrations/record.ts'
import { getRecord } from '../../shared/storage/record.ts'
import { getIntegration } from './contract.ts'

/** One integration, its secrets masked. */
export const handler = serve(getIntegration, async ({ caller, params }) =>
  resource(toIntegrationRecord(await getRecord<Integration>(integrations, caller.orgId, params.integration_id))),
)
