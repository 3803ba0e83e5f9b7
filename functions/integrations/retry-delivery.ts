import { requestAttempt } from '../../shared/delivery/retry.ts'
import { accepted } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { integrations } from '../../shared/integrations/entity.ts'
import { getRecord } from '../../shared/storage/record.ts'
import { retryDelivery } from './contract.ts'

/** Requests an attempt of a delivery at once. */
export const handler = serve(retryDelivery, async ({ caller, params, now }) => {
  const integration = await getRecord(integrations, caller.orgId, params.integration_id)
  return accepted(await requestAttempt(caller.orgId, integration, params.delivery_id, now))
})
