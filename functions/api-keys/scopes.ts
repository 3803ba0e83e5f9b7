import { scopeRegistry } from '../../shared/auth/scopes.ts'
import { etagOf, ok } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { listScopes } from './contract.ts'

const registry = scopeRegistry()
const headers = { etag: etagOf(registry), 'cache-control': 'private, max-age=300' }

/** The scope registry, which changes with a release only. */
export const handler = serve(listScopes, () => ({ ...ok(registry), headers }))
