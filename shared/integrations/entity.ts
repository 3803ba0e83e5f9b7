/** Integrations in the table. */
import type { SecretBinding } from '../secrets/seal.ts'
import type { RecordKind } from '../storage/record.ts'

export const integrations: RecordKind = {
  prefix: 'INT#',
  resource: 'integration',
  created: 'integration.created',
  updated: 'integration.updated',
  deleted: 'integration.deleted',
  max: 100,
  plural: 'integrations',
}

/** The row that the secrets of an integration belong to. */
export const secretsOf = (orgId: string, id: string): SecretBinding => ({ orgId, recordId: id, purpose: 'integration' })
