import { keyTypeScopes } from '../../shared/auth/scopes.ts'
import { serve } from '../../shared/http/serve.ts'
import { createAppKey } from './contract.ts'
import { issue } from './issue.ts'

/** Issues a key bound to one app. Its scopes are fixed. */
export const handler = serve(createAppKey, (call) =>
  issue(call, { ...call.body, key_type: 'app', scopes: keyTypeScopes.app }),
)
