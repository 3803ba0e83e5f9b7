import { ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { checkIntegration } from '../../shared/integrations/check.ts'
import { integrations } from '../../shared/integrations/entity.ts'
import { getRecord } from '../../shared/storage/record.ts'
import { validateIntegration } from './contract.ts'

/** Lists missing and suspicious fields. Makes no outbound call. */
export const handler = serve(validateIntegration, async ({ caller, params }) => {
  const integration = await getRecord(integrations, caller.orgId, params.integration_id)
  return ok({ ...checkIntegration(integration), live_connectivity: 'not_tested' })
})
