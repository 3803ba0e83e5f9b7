/** Connections to cloud AI providers: the record, its view, and the effect of a test of its key. */
import * as z from 'zod'
import { idSchema } from '../ids.ts'
import { lazy } from '../lazy.ts'
import { shownKeyFields } from '../providers/key-fields.ts'
import { providerField } from '../providers/providers.ts'
import type { Attempt } from '../providers/verify.ts'
import type { StoredRecord } from '../storage/record.ts'
import { choiceDefaults, choiceFields, rateLimitDefaults, rateLimitFields } from '../target-fields.ts'

export const verificationStatuses = [
  'unverified',
  'verified',
  'invalid_credential',
  'insufficient_permission',
  'quota_exhausted',
  'rate_limited',
  'unreachable',
  'provider_error',
] as const

/** The settings by which inference chooses, and its rate limits. */
export const connectionFields = lazy(() => ({ ...choiceFields(), ...rateLimitFields() }))

/** For requests that leave these fields out, and for records older than them. */
export const connectionDefaults = { ...choiceDefaults, ...rateLimitDefaults }

export const connectionSchema = lazy(() =>
  z
    .object({
      id: idSchema('conn', 'Id of the connection.'),
      provider: providerField(),
      name: z.string(),
      base_url: z.string().nullable(),
      enabled: z.boolean(),
      ...connectionFields(),
      ...shownKeyFields(),
      verification_status: z.enum(verificationStatuses),
      verification_error: z.string().nullable().meta({ description: 'Why the last attempt failed.' }),
      last_attempt_at: z.iso.datetime().nullable(),
      last_verified_at: z.iso.datetime().nullable(),
      verification_latency_ms: z.int().nullable().meta({ description: 'Of the last attempt that succeeded.' }),
      error_count: z.int().min(0).meta({ description: 'Attempts that failed since the last that succeeded.' }),
      created_at: z.iso.datetime(),
      updated_at: z.iso.datetime(),
    })
    .meta({ id: 'CloudConnection', description: 'A cloud AI provider and its key. The key is never shown.' }),
)

export type ConnectionView = z.infer<ReturnType<typeof connectionSchema>>
export type ConnectionRecord = ConnectionView & StoredRecord & { ciphertext: Uint8Array }
type Verification = Pick<
  ConnectionRecord,
  | 'verification_status'
  | 'verification_error'
  | 'last_attempt_at'
  | 'last_verified_at'
  | 'verification_latency_ms'
  | 'error_count'
>

/** The state of a new key, also of one that replaces another. */
export const unverified: Verification = {
  verification_status: 'unverified',
  verification_error: null,
  last_attempt_at: null,
  last_verified_at: null,
  verification_latency_ms: null,
  error_count: 0,
}

/** The verification after an attempt. If the provider is unreachable, a verified key stays verified. */
export function afterAttempt(before: Verification, { verdict, error, latencyMs }: Attempt, now: Date): Verification {
  const at = now.toISOString()
  const status = verdict === 'unreachable' && before.verification_status === 'verified' ? 'verified' : verdict
  return {
    verification_status: status,
    verification_error: error,
    last_attempt_at: at,
    last_verified_at: verdict === 'verified' ? at : before.last_verified_at,
    verification_latency_ms: verdict === 'verified' ? latencyMs : before.verification_latency_ms,
    error_count: verdict === 'verified' ? 0 : before.error_count + 1,
  }
}

export const toConnectionView = (connection: ConnectionRecord): ConnectionView => ({
  id: connection.id,
  provider: connection.provider,
  name: connection.name,
  base_url: connection.base_url,
  enabled: connection.enabled,
  priority: connection.priority,
  weight: connection.weight,
  rpm_limit: connection.rpm_limit,
  tpm_limit: connection.tpm_limit,
  masked: connection.masked,
  key_version: connection.key_version,
  verification_status: connection.verification_status,
  verification_error: connection.verification_error,
  last_attempt_at: connection.last_attempt_at,
  last_verified_at: connection.last_verified_at,
  verification_latency_ms: connection.verification_latency_ms,
  error_count: connection.error_count,
  created_at: connection.created_at,
  updated_at: connection.updated_at,
})

/** The fields that an event shows. Latencies and attempts are not settings. */
export const toAuditFields = ({
  provider,
  name,
  base_url,
  enabled,
  masked,
  key_version,
  ...rest
}: ConnectionRecord) => ({
  provider,
  name,
  base_url,
  enabled,
  masked,
  key_version,
  priority: rest.priority,
  weight: rest.weight,
  rpm_limit: rest.rpm_limit,
  tpm_limit: rest.tpm_limit,
  verification_status: rest.verification_status,
  verification_error: rest.verification_error,
  last_verified_at: rest.last_verified_at,
})
