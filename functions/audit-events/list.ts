import { listEvents } from '../../shared/audit/list-events.ts'
import { listPage } from '../../shared/http/page.ts'
import { serve } from '../../shared/http/serve.ts'
import { listAuditEvents } from './contract.ts'

/** Lists audit events, newest first. */
export const handler = serve(listAuditEvents, (call) =>
  listPage(call, (filter, page) => listEvents(call.caller.orgId, filter, page)),
)
