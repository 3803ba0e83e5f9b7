/** Connections in the records of the published contract. */
import * as z from 'zod'
import type { ConnectionView } from '../../shared/cloud-connections/record.ts'
import { named, optional, publishedName, wire } from '../../shared/http/published.ts'
import { lazy } from '../../shared/lazy.ts'

const names = { name: 'label', enabled: 'status' }

const statuses = ['active', 'disabled'] as const

/** `last_used_at` is the time of the last verification: inference does not report key use. */
const toConnection = (connection: ConnectionView, { orgId }: { orgId: string }) => ({
  id: connection.id,
  org_id: orgId,
  provider: connection.provider,
  connection_type: 'byok',
  status: connection.enabled ? 'active' : 'disabled',
  label: connection.name,
  base_url: connection.base_url,
  last_used_at: connection.last_attempt_at,
  last_error: connection.verification_error,
  error_count: connection.error_count,
  created_at: connection.created_at,
  verification_status: connection.verification_status,
  verification_latency_ms: connection.verification_latency_ms,
  last_verified_at: connection.last_verified_at,
})

export const connectionView = lazy(() => wire({ names, toAnswer: toConnection }))

export const connectionCreation = lazy(() =>
  wire({
    body: z.strictObject({
      provider: z.string(),
      connection_type: z
        .enum(['byok', 'managed'])
        .refine((type) => type === 'byok', 'must be `byok`: managed connections are not offered'),
      api_key: optional(z.string()),
      label: optional(publishedName()),
      base_url: optional(z.string()),
    }),
    names,
    toInput: ({ connection_type: _type, label, ...rest }) => ({ ...named(rest), name: label ?? 'default' }),
    toAnswer: toConnection,
  }),
)

export const connectionPatch = lazy(() =>
  wire({
    body: z.strictObject({
      api_key: optional(z.string()),
      label: optional(publishedName()),
      base_url: optional(z.string()),
      status: optional(z.enum(statuses)),
    }),
    names,
    toInput: ({ label, status, ...rest }) =>
      named({ ...rest, name: label, enabled: status ? status === 'active' : undefined }),
    toAnswer: toConnection,
  }),
)
