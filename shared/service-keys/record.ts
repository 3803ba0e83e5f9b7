/** Service keys: keys of the operator of the platform. They belong to no org and serve all of them. */
import type { Environment } from '../auth/api-key.ts'
import type { serviceKeyScopes } from '../auth/scopes.ts'

export type ServiceScope = (typeof serviceKeyScopes)[number]

export interface ServiceKeyDefinition {
  name: string
  scopes: readonly ServiceScope[]
  environment: Environment
  rate_limit_per_minute: number
}

/** A service key as stored: under the hash of its raw value, so that one read authenticates a request. */
export interface ServiceKeyRecord extends ServiceKeyDefinition {
  id: string
  prefix: string
  created_at: string
  /** Up to 5 minutes behind. */
  last_used_at: string | null
  revoked_at: string | null
}
