import { serve } from '../../shared/http/serve.ts'
import { createPublishableKey } from './contract.ts'
import { issue } from './issue.ts'

/** Issues a key that may be public: it has few scopes, a rate limit, and optionally a list of origins. */
export const handler = serve(createPublishableKey, (call) => issue(call, { ...call.body, key_type: 'publishable' }))
