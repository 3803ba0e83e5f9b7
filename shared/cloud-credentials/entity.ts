/** Credentials in the table. */
import type { SecretBinding } from '../secrets/kms.ts'
import type { RecordKind } from '../storage/record.ts'
import { type CredentialRecord, type CredentialView, toAuditFields, toCredentialView } from './record.ts'

export const credentials: RecordKind<CredentialRecord, CredentialView> = {
  prefix: 'CRED#',
  resource: 'cloud_credential',
  created: 'cloud_credential.created',
  updated: 'cloud_credential.updated',
  deleted: 'cloud_credential.deleted',
  max: 100,
  plural: 'cloud credentials',
  defaults: { enabled: true },
  shown: toCredentialView,
  audited: toAuditFields,
}

/** Binds the key of a credential to its row. */
export const keyOf = (orgId: string, id: string): SecretBinding => ({
  orgId,
  recordId: id,
  purpose: 'cloud_credential',
})
