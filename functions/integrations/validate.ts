import { readPlan } from '../../shared/billing/rows.ts'
import { ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { checkIntegration } from '../../shared/integrations/check.ts'
import { integrations } from '../../shared/integrations/entity.ts'
import { environment } from '../../shared/runtime/environment.ts'
import { getRecord } from '../../shared/storage/record.ts'
import { validateIntegration } from './contract.ts'

/** Lists missing and suspicious fields. Makes no outbound call. */
export const handler = serve(validateIntegration, async ({ caller, params, now }) => {
  const integration = await getRecord(integrations, caller.orgId, params.integration_id)
  const { features } = await readPlan(caller.orgId, now)
  const surroundings = { features, sendsMail: environment('mailSender') !== undefined }
  return ok({ ...checkIntegration(integration, surroundings), live_connectivity: 'not_tested' })
})
