/** Organizations, keys and signed-in people to test with. */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createIssuer, type Issuer } from '../../local/issuer.ts'
import { type Role, templateScopes } from '../../shared/auth/scopes.ts'
import type { Operation } from '../../shared/http/operation.ts'
import { createOrg, createOrgKey } from '../../shared/operator/orgs.ts'
import { type BodyOf, invoke } from './invoke.ts'

const maker = () => ({ name: 'test', requestId: 'test', deadline: new Date(Date.now() + 20_000) })

export interface TestOrg {
  orgId: string
  /** An org key that holds everything an org key may hold. */
  adminKey: string
  readOnlyKey: string
}

export async function makeOrg(name: string = randomUUID()): Promise<TestOrg> {
  const { id } = await createOrg({ name, owner_email: 'owner@example.com' }, maker())
  return {
    orgId: id,
    adminKey: await createOrgKey(id, 'admin', 'full_admin', maker()),
    readOnlyKey: await createOrgKey(id, 'reader', 'read_only', maker()),
  }
}

/** Creates a key as a caller would, and hands back its record with the raw key. */
export async function makeKey(
  { adminKey }: Pick<TestOrg, 'adminKey'>,
  body: object = {},
  operation: 'api-keys/create' | 'api-keys/create-app-key' | 'api-keys/create-publishable-key' = 'api-keys/create',
): Promise<BodyOf<typeof operation>> {
  const defaults = {
    'api-keys/create': { scopes: ['keys:read'] },
    'api-keys/create-app-key': { app_id: 'app-1' },
    'api-keys/create-publishable-key': {},
  }
  const response = await invoke(operation, {
    token: adminKey,
    body: { name: 'test key', ...defaults[operation], ...body },
  })
  if (response.status !== 201) throw new Error(`the key was not created: ${response.text}`)
  return response.body
}

/** A raw key with every scope that an org key may hold, which may be used as often as a test likes. */
export async function busyKey(org: Pick<TestOrg, 'adminKey'>): Promise<string> {
  const { api_key } = await makeKey(org, {
    name: 'busy',
    scopes: templateScopes('full_admin'),
    rate_limit_per_minute: 100_000,
  })
  return api_key
}

/** An org whose admin key has a high rate limit. */
export async function makeBusyOrg(): Promise<TestOrg> {
  const org = await makeOrg()
  return { ...org, adminKey: await busyKey(org) }
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

/** Whether some key can be given the scope of an operation; the others are for people. */
export const isForKeys = ({ scope }: Pick<Operation, 'scope'>): boolean => scope !== 'billing:override'

/** A credential that may call an operation: the org's admin key, or where no key can hold the scope, a new owner's token. */
export const credentialFor = async (
  operation: Pick<Operation, 'scope'>,
  { orgId, adminKey }: Pick<TestOrg, 'orgId' | 'adminKey'>,
): Promise<string> => (isForKeys(operation) ? adminKey : newOwner(orgId))

/** A token of a new owner, whose rate limit is unused. */
export async function newOwner(orgId: string): Promise<string> {
  const { mint } = await testIssuer()
  return mint({ sub: `owner-${randomUUID()}`, org_id: orgId, role: 'owner' }, 600)
}
