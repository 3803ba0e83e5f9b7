/** For each operation a request that succeeds, so that suites that walk the operations can reach their handlers. */
import type { OperationName } from '../../functions/operations.ts'
import type { Request } from './invoke.ts'
import { makeKey, type TestOrg } from './orgs.ts'

/** Makes what the request needs, and the request; whoever sends it adds the token. */
type HappyPath = (org: TestOrg) => Promise<Pick<Request, 'params' | 'query' | 'body'>>

const nothingNeeded: HappyPath = async () => ({})
const onNewKey: HappyPath = async (org) => ({ params: { key_id: (await makeKey(org)).id } })

export const happyPaths: Partial<Record<OperationName, HappyPath>> = {
  'api-keys/create': async () => ({ body: { name: 'server', scopes: ['keys:read'] } }),
  'api-keys/create-app-key': async () => ({ body: { name: 'app', app_id: 'app-1' } }),
  'api-keys/create-publishable-key': async () => ({ body: { name: 'web' } }),
  'api-keys/list': nothingNeeded,
  'api-keys/scopes': nothingNeeded,
  'api-keys/get': onNewKey,
  'api-keys/revoke': onNewKey,
  'api-keys/rotate': onNewKey,
  'audit-events/list': nothingNeeded,
  'audit-events/verify': nothingNeeded,
  'meta/health': nothingNeeded,
  'meta/openapi': nothingNeeded,
  'meta/docs': nothingNeeded,
}

/** The happy request of an operation. An operation that has none is a gap in the tests. */
export function happyRequest(name: OperationName, org: TestOrg): ReturnType<HappyPath> {
  const path = happyPaths[name]
  if (!path) throw new Error(`${name} has no happy path in test/support/happy-paths.ts; add one`)
  return path(org)
}
