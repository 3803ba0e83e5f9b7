/** Serving and data-handling policies of an org. */
import * as z from 'zod'
import { lazy } from '../lazy.ts'

const maxOptionBytes = 4096

export const orgPoliciesFields = lazy(() => ({
  serving_policy: z.enum(['private', 'local_first', 'performance_first', 'cloud_first', 'cloud_only', 'auto']).meta({
    description: 'Where inference is served: on the organization’s own runtimes, in the cloud, or in which order.',
  }),
  serving_policy_options: z
    .record(z.string(), z.json())
    .refine(
      (options) => Buffer.byteLength(JSON.stringify(options)) <= maxOptionBytes,
      `must not be longer than ${maxOptionBytes} bytes`,
    )
    .meta({
      description: `Further members of the serving policy, which are kept and not read here; at most ${maxOptionBytes} bytes.`,
    }),
  telemetry_enabled: z.boolean().meta({ description: 'Whether SDKs and servers send telemetry.' }),
  privacy_mode: z.enum(['standard', 'strict', 'zero_retention']).meta({ description: 'How much of requests is kept.' }),
}))

export const orgPoliciesSchema = lazy(() =>
  z
    .object(orgPoliciesFields())
    .meta({ id: 'OrgPolicies', description: 'Serving and data-handling policies of an organization.' }),
)

export type OrgPolicies = z.infer<ReturnType<typeof orgPoliciesSchema>>

export const defaultOrgPolicies: OrgPolicies = {
  serving_policy: 'auto',
  serving_policy_options: {},
  telemetry_enabled: true,
  privacy_mode: 'standard',
}
