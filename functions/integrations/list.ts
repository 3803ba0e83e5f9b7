import { listPage } from '../../shared/http/page.ts'
import { serve } from '../../shared/http/serve.ts'
import { integrations } from '../../shared/integrations/entity.ts'
import { type Integration, toSummary } from '../../shared/integrations/record.ts'
import { listRecords } from '../../shared/storage/record.ts'
import { listIntegrations } from './contract.ts'

/** Lists summaries, newest first. */
export const handler = serve(listIntegrations, (call) =>
  listPage(call, async (_filter, page) => {
    const { data, next } = await listRecords<Integration>(integrations, call.caller.orgId, page)
    return { data: data.map(toSummary), next }
  }),
)
