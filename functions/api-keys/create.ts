import { serve } from '../../shared/http/serve.ts'
import { createApiKey } from './contract.ts'
import { issue } from './issue.ts'

/** Issues an org key with the requested scopes. */
export const handler = serve(createApiKey, (call) => issue(call, { ...call.body, key_type: 'org' }))
