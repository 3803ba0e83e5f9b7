/** Audit events: their schema, the closed list of actions, and their hash. */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import * as z from 'zod'
import { lazy } from '../lazy.ts'

/** `<resource>.<verb>`; a closed list. */
export const auditActions = [
  'organization.created',
  'member.added',
  'member.password_renewed',
  'member.authenticator_removed',
  'api_key.created',
  'api_key.updated',
  'api_key.revoked',
  'api_key.rotated',
  'billing.override_set',
  'billing.override_cleared',
  'billing.customer_bound',
  'billing.checkout_started',
  'billing.portal_opened',
  'billing.subscription_synced',
  'billing.drift_corrected',
  'org_settings.initialized',
  'org_settings.updated',
  'org_auth.updated',
  'org_policies.updated',
  'usage_limits.updated',
  'usage.threshold_reached',
  'integration.created',
  'integration.updated',
  'integration.deleted',
  'integration.disabled',
  'integration.tested',
  'integration.delivery_retried',
  'cloud_connection.created',
  'cloud_connection.updated',
  'cloud_connection.tested',
  'cloud_connection.deleted',
  'cloud_credential.created',
  'cloud_credential.updated',
  'cloud_credential.deleted',
  'cloud_policy.updated',
  'local_target.created',
  'local_target.updated',
  'local_target.deleted',
  'routing.updated',
  'service_key.created',
  'service_key.revoked',
] as const

export type AuditAction = (typeof auditActions)[number]

export const resourceTypes = [
  'organization',
  'member',
  'api_key',
  'billing',
  'org_settings',
  'org_auth',
  'org_policies',
  'usage_limits',
  'usage_metric',
  'integration',
  'cloud_connection',
  'cloud_credential',
  'cloud_policy',
  'local_target',
  'routing',
  'service_key',
] as const
export type ResourceType = (typeof resourceTypes)[number]

/** Who acted: a person (`id` is the token's `sub`), an API key or a service key (`id` is the key's), or this service. */
export const actorSchema = lazy(() =>
  z
    .object({ type: z.enum(['user', 'api_key', 'service', 'system']), id: z.string(), email: z.string().optional() })
    .meta({ id: 'Actor', description: 'Who acted: a person, an API key, a service key, or this service.' }),
)

export type Actor = z.infer<ReturnType<typeof actorSchema>>

export const auditEventSchema = lazy(() =>
  z
    .object({
      id: z.string(),
      timestamp: z.iso.datetime(),
      action: z.enum(auditActions),
      actor: actorSchema(),
      resource: z.object({ type: z.enum(resourceTypes), id: z.string().optional(), name: z.string().optional() }),
      result: z.enum(['success', 'denied']),
      changes: z.array(z.object({ field: z.string(), before: z.json().optional(), after: z.json().optional() })),
      request_id: z.string(),
      ip: z.string().optional(),
      user_agent: z.string().optional(),
      hash: z.string().meta({
        description: 'Lower-case hex SHA-256 of this event without `hash` and `sealed`, as RFC 8785 canonical JSON.',
      }),
      sealed: z
        .int()
        .min(1)
        .nullable()
        .meta({ description: 'Number of the block that holds the event. null: not sealed yet; normal for seconds.' }),
    })
    .meta({ id: 'AuditEvent', description: 'One event of an organization’s audit trail. Unknown fields are absent.' }),
)

export type AuditEvent = z.infer<ReturnType<typeof auditEventSchema>>
export type AuditChange = AuditEvent['changes'][number]

/** The part of an event that an operation provides. `commit` adds actor, time and request. */
export type AuditDraft = Pick<AuditEvent, 'action' | 'resource' | 'result' | 'changes'>

/** An event without what `hash` leaves out. */
export type EventContent = Omit<AuditEvent, 'hash' | 'sealed'>

/** Lower-case hex SHA-256 of a JSON value as RFC 8785 canonical JSON. The value must hold no undefined. */
export function hashOf(value: object): string {
  const canonical = canonicalize(value)
  if (canonical === undefined) throw new TypeError('only JSON has a hash')
  return createHash('sha256').update(canonical).digest('hex')
}

/** The changes that a creation records: each field that has a value. */
export const createdFields = <T extends object>(record: T, fields: readonly (keyof T & string)[]): AuditChange[] =>
  fields
    .filter((field) => record[field] !== null && record[field] !== undefined)
    .map((field) => ({ field, after: record[field] as AuditChange['after'] }))

/** The changes between two states of a record: each field that differs. */
export const changedFields = <T extends object>(
  before: T,
  after: T,
  fields: readonly (keyof T & string)[],
): AuditChange[] =>
  fields
    .filter((field) => canonicalize(before[field]) !== canonicalize(after[field]))
    .map((field) => ({
      field,
      before: before[field] as AuditChange['before'],
      after: after[field] as AuditChange['after'],
    }))
