/** Organizations, keys and signed-in people to test with. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createIssuer, type Issuer, issuerPath } from '../../local/issuer.ts'
import type { Role } from '../../shared/auth/scopes.ts'
import { createOrg, createOrgKey } from '../../shared/orgs/entity.ts'

const maker = () => ({ name: 'test', requestId: 'test', deadline: new Date(Date.now() + 20_000) })

export interface TestOrg {
  orgId: string
  /** An org key that holds everything an org key may hold. */
  adminKey: string
  readOnlyKey: string
}

export async function makeOrg(name = 'Test'): Promise<TestOrg> {
  const { id } = await createOrg({ name, owner_email: 'owner@example.com' }, maker())
  return {
    orgId: id,
    adminKey: await createOrgKey(id, 'admin', 'full_admin', maker()),
    readOnlyKey: await createOrgKey(id, 'reader', 'read_only', maker()),
  }
}

let issuer: Promise<Issuer> | undefined

/** A loopback issuer that the handlers of this test file trust. */
export function testIssuer(): Promise<Issuer> {
  issuer ??= startIssuer()
  return issuer
}

async function startIssuer(): Promise<Issuer> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  const started = await createIssuer(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  server.on('request', started.handle)
  process.env.OIDC_ISSUER = started.url
  process.env.OIDC_AUDIENCE = 'octomil-settings'
  return started
}

/** A token of the test issuer; a negative time to live makes one that has expired. */
export async function tokenFor(
  orgId: string,
  role: Role,
  ttlSeconds = 600,
  claims: Record<string, unknown> = {},
): Promise<string> {
  const { mint } = await testIssuer()
  return mint({ sub: `user-${role}`, org_id: orgId, role, email: `${role}@example.com` }, ttlSeconds, claims)
}

export { issuerPath }
