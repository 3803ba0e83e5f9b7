/** The sign-in settings of an org in the table, and the providers that the server has. */
import { environment } from '../runtime/environment.ts'
import type { SecretBinding } from '../secrets/kms.ts'
import type { Mutation } from '../storage/commit.ts'
import { type DocumentKind, documentChanged, readDocument, type Versioned } from '../storage/document.ts'
import { defaultOrgAuth, type OrgAuth, type SignInProvider, signInProviders } from './record.ts'

const kind: DocumentKind<OrgAuth> = {
  sortKey: 'AUTH',
  resource: 'org_auth',
  updated: 'org_auth.updated',
  defaults: defaultOrgAuth,
}

export const readOrgAuth = (orgId: string): Promise<Versioned<OrgAuth>> => readDocument(kind, orgId)

/** Shows the secret as its mask. A new secret is a change even if its mask is the same. */
export const orgAuthUpdated = (orgId: string, before: Versioned<OrgAuth>, after: OrgAuth): Mutation =>
  documentChanged(kind, orgId, before, after, (auth) => ({
    ...auth,
    sso_client_secret: auth.sso_client_secret?.masked ?? null,
  }))

export const clientSecretBinding = (orgId: string): SecretBinding => ({ orgId, recordId: orgId, purpose: 'sso' })

/** The sign-in providers that this server is configured with. */
export function configuredProviders(): readonly SignInProvider[] {
  const named = (environment('signInProviders') ?? '').split(',')
  return signInProviders.filter((provider) => named.includes(provider))
}
