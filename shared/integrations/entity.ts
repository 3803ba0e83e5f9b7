/** Integrations in the table. */
import type { PlanFeature } from '../billing/plans.ts'
import type { SecretBinding } from '../secrets/kms.ts'
import type { RecordKind } from '../storage/record.ts'
import { type IntegrationRecord, type IntegrationView, toAuditFields, toIntegrationView } from './record.ts'
import type { IntegrationType } from './types.ts'

export const integrations: RecordKind<IntegrationRecord, IntegrationView> = {
  prefix: 'INT#',
  resource: 'integration',
  created: 'integration.created',
  updated: 'integration.updated',
  deleted: 'integration.deleted',
  max: 100,
  plural: 'integrations',
  shown: toIntegrationView,
  audited: toAuditFields,
}

/** The plan feature that a type needs, keyed by the field of the request that needs it. */
export const featuresOf = (type: IntegrationType, field: string): Record<string, PlanFeature> =>
  type === 'webhook' ? { [field]: 'webhooks' } : type === 'siem' ? { [field]: 'siem_export' } : {}

/** Binds the secrets of an integration to its row. */
export const secretsOf = (orgId: string, id: string): SecretBinding => ({ orgId, recordId: id, purpose: 'integration' })
