import { serve } from '../../shared/http/serve.ts'
import { createPublishableKey } from './contract.ts'
import { issue } from './issue.ts'

/** Issues a key for everybody's hands: few scopes, a rate limit, and origins that it may be bound to. */
export const handler = serve(createPublishableKey, (call) => issue(call, { ...call.body, key_type: 'publishable' }))
