/** Service keys to test with. */
import { createServiceKey } from '../../shared/operator/service-keys.ts'
import type { ServiceKeyDefinition, ServiceScope } from '../../shared/service-keys/record.ts'

export const testMaker = () => ({ name: 'test', requestId: 'test', deadline: new Date(Date.now() + 20_000) })

export const makeServiceKey = (scopes: readonly ServiceScope[], definition: Partial<ServiceKeyDefinition> = {}) =>
  createServiceKey(
    { name: 'gateway', environment: 'live', rate_limit_per_minute: 100_000, ...definition, scopes },
    testMaker(),
  )
