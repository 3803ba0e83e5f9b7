import { readDeliveries } from '../../shared/delivery/retry.ts'
import { listPage } from '../../shared/http/page.ts'
import { serve } from '../../shared/http/serve.ts'
import { integrations } from '../../shared/integrations/entity.ts'
import { getRecord } from '../../shared/storage/record.ts'
import { listDeliveries } from './contract.ts'

/** Lists the deliveries of an integration, newest first. */
export const handler = serve(listDeliveries, async (call) => {
  const { orgId } = call.caller
  const { id } = await getRecord(integrations, orgId, call.params.integration_id)
  return listPage(call, (filter, page) => readDeliveries(orgId, id, filter, page))
})
