/** Audit events: their schema, the closed list of actions, and the hash chain. */
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
] as const
export type ResourceType = (typeof resourceTypes)[number]

/** Who acted: a person (`id` is the token's `sub`), an API key (`id` is the key's), or the service itself. */
export const actorSchema = lazy(() =>
  z
    .object({ type: z.enum(['user', 'api_key', 'system']), id: z.string(), email: z.string().optional() })
    .meta({ id: 'Actor', description: 'Who acted: a person, an API key, or the service itself.' }),
)

export type Actor = z.infer<ReturnType<typeof actorSchema>>

export const auditEventSchema = lazy(() =>
  z
    .object({
      id: z.string(),
      seq: z.int().min(1).meta({ description: 'Position in the org’s chain, from 1 and without gaps.' }),
      timestamp: z.iso.datetime(),
      action: z.enum(auditActions),
      actor: actorSchema(),
      resource: z.object({ type: z.enum(resourceTypes), id: z.string().optional(), name: z.string().optional() }),
      result: z.enum(['success', 'denied']),
      changes: z.array(z.object({ field: z.string(), before: z.json().optional(), after: z.json().optional() })),
      request_id: z.string(),
      ip: z.string().optional(),
      user_agent: z.string().optional(),
      prev_hash: z.string().meta({ description: 'Hash of the event before, 64 zeros for the first.' }),
      hash: z.string().meta({
        description: 'Lower-case hex SHA-256 of this event without `hash`, as RFC 8785 canonical JSON.',
      }),
    })
    .meta({ id: 'AuditEvent', description: 'One link of an organization’s audit trail. Unknown fields are absent.' }),
)

export type AuditEvent = z.infer<ReturnType<typeof auditEventSchema>>
export type AuditChange = AuditEvent['changes'][number]

/** The part of an event that an operation provides. `commit` adds actor, time and request. */
export type AuditDraft = Pick<AuditEvent, 'action' | 'resource' | 'result' | 'changes'>

/** The `prev_hash` of an org's first event. */
export const genesisHash = '0'.repeat(64)

/** Hash of an event as served, without its `hash`. */
export function hashEvent(event: Omit<AuditEvent, 'hash'>): string {
  const canonical = canonicalize(event)
  if (canonical === undefined) throw new TypeError('an audit event must be an object')
  return createHash('sha256').update(canonical).digest('hex')
}

/** Adds the hash. The event must hold JSON values only, and no undefined. */
export const hashedEvent = (event: Omit<AuditEvent, 'hash'>): AuditEvent => ({ ...event, hash: hashEvent(event) })

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
