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

/** Needs of a type beside its configuration. */
export interface Surroundings {
  /** The features of the organization's plan. */
  features: readonly PlanFeature[]
  /** Whether the stage has a mail sender. */
  sendsMail: boolean
}

export type Obstacle = 'plan_feature_missing' | 'no_mail_sender'

/** Why a complete integration of a type is not sent to; undefined when nothing is in the way. */
export function obstacleOf(type: IntegrationType, { features, sendsMail }: Surroundings): Obstacle | undefined {
  if (type === 'email' && !sendsMail) return 'no_mail_sender'
  const missing = Object.values(featuresOf(type, 'type')).some((feature) => !features.includes(feature))
  return missing ? 'plan_feature_missing' : undefined
}

/** Binds the secrets of an integration to its row. */
export const secretsOf = (orgId: string, id: string): SecretBinding => ({ orgId, recordId: id, purpose: 'integration' })
