/** Connections and credentials as inference sees them under the cloud policy. */
import * as z from 'zod'
import { type ConnectionRecord, verificationStatuses } from '../cloud-connections/record.ts'
import type { CredentialRecord } from '../cloud-credentials/record.ts'
import type { CloudPolicy } from '../cloud-policy/record.ts'
import { lazy } from '../lazy.ts'
import { providerField } from '../providers/providers.ts'
import { choiceDefaults, choiceFields, rateLimitDefaults, rateLimitFields } from '../target-fields.ts'

export const ineligibleReasons = [
  'cloud_disabled',
  'source_not_allowed',
  'provider_not_allowed',
  'disabled',
  'not_verified',
] as const
type IneligibleReason = (typeof ineligibleReasons)[number]

export const cloudTargetSchema = lazy(() =>
  z
    .object({
      id: z.string().meta({ description: 'Id of the connection or credential.' }),
      kind: z.enum(['connection', 'credential']),
      provider: providerField(),
      name: z.string(),
      base_url: z.string().nullable(),
      enabled: z.boolean(),
      ...choiceFields(),
      ...rateLimitFields(),
      verification_status: z.enum(verificationStatuses).nullable().meta({ description: 'Null for credentials.' }),
      eligible: z.boolean().meta({ description: 'Whether inference may use it under the cloud policy.' }),
      reason: z.enum(ineligibleReasons).nullable().meta({ description: 'Why not; null when it may.' }),
    })
    .meta({ id: 'CloudTarget', description: 'A connection or credential as inference sees it.' }),
)

export type CloudTarget = z.infer<ReturnType<typeof cloudTargetSchema>>

export type CloudRecord =
  | { kind: 'connection'; record: ConnectionRecord }
  | { kind: 'credential'; record: CredentialRecord }

/** A connection or credential as inference sees it under a policy. */
export function toCloudTarget(source: CloudRecord, policy: CloudPolicy): CloudTarget {
  const reason = ineligibility(source, policy)
  const { id, provider, name, base_url } = source.record
  const isConnection = source.kind === 'connection'
  return {
    ...{ id, kind: source.kind, provider, name, base_url },
    enabled: source.record.enabled,
    ...choiceOf(source),
    verification_status: isConnection ? source.record.verification_status : null,
    eligible: reason === null,
    reason,
  }
}

/** Credentials have no such settings. */
function choiceOf({ kind, record }: CloudRecord) {
  if (kind === 'credential') return { ...choiceDefaults, ...rateLimitDefaults }
  const { priority, weight, rpm_limit, tpm_limit } = record
  return { priority, weight, rpm_limit, tpm_limit }
}

function ineligibility(source: CloudRecord, policy: CloudPolicy): IneligibleReason | null {
  const { kind, record } = source
  if (!policy.cloud_enabled) return 'cloud_disabled'
  if (!policy.credential_sources.includes(kind === 'connection' ? 'connection' : 'byok')) return 'source_not_allowed'
  if (policy.provider_allowlist && !policy.provider_allowlist.includes(record.provider)) return 'provider_not_allowed'
  if (!record.enabled) return 'disabled'
  if (kind === 'credential') return null
  return record.verification_status === 'verified' ? null : 'not_verified'
}
