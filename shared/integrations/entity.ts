/** Integrations in the table. */
import type { SecretBinding } from '../secrets/kms.ts'
import type { RecordKind } from '../storage/record.ts'
import { type Integration, toAuditFields, toIntegrationRecord } from './record.ts'

export const integrations: RecordKind<Integration> = {
  prefix: 'INT#',
  resource: 'integration',
  created: 'integration.created',
  updated: 'integration.updated',
  deleted: 'integration.deleted',
  max: 100,
  plural: 'integrations',
  shown: toIntegrationRecord,
  audited: toAuditFields,
}

/** The row that the secrets of an integration belong to. */
export const secretsOf = (orgId: string, id: string): SecretBinding => ({ orgId, recordId: id, purpose: 'integration' })
