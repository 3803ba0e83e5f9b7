import { listPage } from '../../shared/http/page.ts'
import { serve } from '../../shared/http/serve.ts'
import { listCheckpoints } from '../../shared/trail/checkpoints.ts'
import { listAuditCheckpoints } from './contract.ts'

/** Lists checkpoints, newest first. */
export const handler = serve(listAuditCheckpoints, (call) =>
  listPage(call, (_filter, page) => listCheckpoints(call.caller.orgId, page)),
)
