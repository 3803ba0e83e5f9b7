/** Policies in the records of the published contract. */
import * as z from 'zod'
import { named, optional, wire } from '../../shared/http/published.ts'
import { lazy } from '../../shared/lazy.ts'
import { type OrgPoliciesView, privacyModes, servingPolicies } from '../../shared/org-policies/record.ts'

const publishedModes = { standard: 'standard', strict: 'strict', zero_retention: 'off' } as const satisfies Record<
  OrgPoliciesView['privacy_mode'],
  string
>

/** The published serving policy is an open object: `policy` is our code; other members are stored unchanged. */
const toAnswer = (policies: OrgPoliciesView) => ({
  serving_policy: { policy: policies.serving_policy, ...policies.serving_policy_options },
  telemetry_enabled: policies.telemetry_enabled,
  privacy_mode: publishedModes[policies.privacy_mode],
})

export const policiesView = lazy(() => wire({ toAnswer }))

export const policiesUpdate = lazy(() =>
  wire({
    body: z.strictObject({
      serving_policy: optional(z.looseObject({ policy: optional(z.enum(servingPolicies)) })),
      telemetry_enabled: optional(z.boolean()),
      privacy_mode: optional(z.enum(Object.values(publishedModes))),
    }),
    names: { serving_policy_options: 'serving_policy' },
    toInput: ({ serving_policy, telemetry_enabled, privacy_mode }) => {
      const { policy, ...options } = serving_policy ?? {}
      return named({
        serving_policy: policy,
        serving_policy_options: serving_policy && options,
        telemetry_enabled,
        privacy_mode: privacyModes.find((mode) => publishedModes[mode] === privacy_mode),
      })
    },
    toAnswer,
  }),
)
