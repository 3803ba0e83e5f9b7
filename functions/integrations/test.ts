import { sendTest } from '../../shared/delivery/test-event.ts'
import { ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { integrations } from '../../shared/integrations/entity.ts'
import { getRecord } from '../../shared/storage/record.ts'
import { testIntegration } from './contract.ts'

/** Sends a test event. The result changes nothing. */
export const handler = serve(testIntegration, async ({ caller, params, context }) => {
  const integration = await getRecord(integrations, caller.orgId, params.integration_id)
  return ok(await sendTest(context, integration))
})
