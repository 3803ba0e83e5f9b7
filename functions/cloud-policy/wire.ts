/** The cloud policy in the records of the published contract. */
import * as z from 'zod'
import type { CloudPolicy, CredentialSource } from '../../shared/cloud-policy/record.ts'
import { named, optional, wire } from '../../shared/http/published.ts'
import { lazy } from '../../shared/lazy.ts'
import { invalidInput } from '../../shared/problem.ts'

const sources = {
  byok_only: ['byok', 'connection'],
  byok_and_managed: ['byok', 'connection', 'managed'],
  managed_only: ['managed'],
} as const satisfies Record<string, readonly CredentialSource[]>

const policies = ['byok_only', 'byok_and_managed', 'managed_only', 'disabled'] as const

const names = {
  cloud_enabled: 'cloud_fallback_enabled',
  credential_sources: 'cloud_credential_policy',
  provider_allowlist: 'cloud_allowed_providers',
  default_fallback_model: 'cloud_fallback_model',
}

/** Published policy for a set of key sources. If none matches, the nearest one that permits no more. */
function policyOf({ cloud_enabled, credential_sources }: CloudPolicy): (typeof policies)[number] {
  const has = (source: CredentialSource) => credential_sources.includes(source)
  if (!cloud_enabled) return 'disabled'
  if (has('byok') && has('connection')) return has('managed') ? 'byok_and_managed' : 'byok_only'
  return has('managed') ? 'managed_only' : 'disabled'
}

export const cloudPolicyView = lazy(() =>
  wire({
    body: z.strictObject({
      cloud_fallback_enabled: optional(z.boolean()),
      cloud_credential_policy: optional(z.enum(policies)),
      cloud_allowed_providers: z.array(z.string()).nullish(),
      cloud_fallback_model: z.string().nullish(),
    }),
    names,
    toInput: ({ cloud_fallback_enabled, cloud_credential_policy, cloud_allowed_providers, cloud_fallback_model }) => {
      if (cloud_fallback_enabled && cloud_credential_policy === 'disabled') {
        const message = 'must not be disabled together with cloud_fallback_enabled: true'
        throw invalidInput([{ path: 'cloud_credential_policy', code: 'contradiction', message }])
      }
      const chosen =
        cloud_credential_policy && cloud_credential_policy !== 'disabled' ? sources[cloud_credential_policy] : undefined
      return {
        // Choosing a policy enables it, unless the same request disables it.
        ...named({
          cloud_enabled: cloud_fallback_enabled ?? (cloud_credential_policy ? chosen !== undefined : undefined),
        }),
        ...named({ credential_sources: chosen }),
        ...(cloud_allowed_providers === undefined ? {} : { provider_allowlist: cloud_allowed_providers }),
        ...(cloud_fallback_model === undefined ? {} : { default_fallback_model: cloud_fallback_model }),
      }
    },
    toAnswer: (policy: CloudPolicy) => ({
      cloud_fallback_enabled: policyOf(policy) !== 'disabled',
      cloud_credential_policy: policyOf(policy),
      cloud_allowed_providers: policy.provider_allowlist,
      cloud_fallback_model: policy.default_fallback_model,
    }),
  }),
)
