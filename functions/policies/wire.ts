/** Policies in the records of the published contract. */
import * as z from 'zod'
import { named, optional, wire } from '../../shared/http/published.ts'
import { lazy } from '../../shared/lazy.ts'
import type { OrgPolicies } from '../../shared/org-policies/record.ts'

const modes = { standard: 'standard', strict: 'strict', off: 'zero_retention' } as const
const publishedModes = { standard: 'standard', strict: 'strict', zero_retention: 'off' } as const

export const policiesView = lazy(() =>
  wire({
    body: z.strictObject({
      serving_policy: optional(z.record(z.string(), z.unknown())),
      telemetry_enabled: optional(z.boolean()),
      privacy_mode: optional(z.enum(['standard', 'strict', 'off'])),
    }),
    names: { serving_policy: 'serving_policy.policy', serving_policy_options: 'serving_policy' },
    toInput: ({ serving_policy, telemetry_enabled, privacy_mode }) => {
      const { policy, ...options } = serving_policy ?? {}
      return named({
        serving_policy: policy,
        serving_policy_options: serving_policy ? options : undefined,
        telemetry_enabled,
        privacy_mode: privacy_mode ? modes[privacy_mode] : undefined,
      })
    },
    toAnswer: ({ serving_policy, serving_policy_options, telemetry_enabled, privacy_mode }: OrgPolicies) => ({
      serving_policy: { ...serving_policy_options, policy: serving_policy },
      telemetry_enabled,
      privacy_mode: publishedModes[privacy_mode],
    }),
  }),
)
