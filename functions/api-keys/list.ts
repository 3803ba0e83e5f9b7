import { listKeys } from '../../shared/api-keys/list-keys.ts'
import { listPage } from '../../shared/http/page.ts'
import { serve } from '../../shared/http/serve.ts'
import { listApiKeys } from './contract.ts'

/** Lists keys of every type and state, newest first. */
export const handler = serve(listApiKeys, (call) =>
  listPage(call, (filter, page) => listKeys(call.caller.orgId, filter, page)),
)
