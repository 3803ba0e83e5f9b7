/** Serving and data-handling policies of an org. */
import canonicalize from 'canonicalize'
import * as z from 'zod'
import { lazy } from '../lazy.ts'

export const servingPolicies = [
  'private',
  'local_first',
  'performance_first',
  'cloud_first',
  'cloud_only',
  'auto',
] as const
export const privacyModes = ['standard', 'strict', 'zero_retention'] as const

const servingPolicyField = lazy(() =>
  z.enum(servingPolicies).meta({
    description: 'Where inference is served: on the organization’s runtimes, in the cloud, or both in an order.',
  }),
)

const maxOptionsBytes = 8 * 1024
const maxOptionsDepth = 16

/** Checks level by level, without recursion: a body can nest deeper than the stack. */
function isNestedDeeperThan(root: object, maxDepth: number): boolean {
  let level: unknown[] = [root]
  for (let depth = 0; depth < maxDepth && level.length > 0; depth++) {
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []))
  }
  return level.some((value) => typeof value === 'object' && value !== null)
}

/** Canonical JSON: equal options have equal texts. */
const toText = (options: object): string => canonicalize(options) ?? '{}'

const optionsField = lazy(() =>
  z
    .record(z.string(), z.unknown())
    .superRefine((options, { addIssue }) => {
      const refuse = (message: string, path: string[] = []) => addIssue({ code: 'custom', message, path })
      if (Object.hasOwn(options, 'policy')) refuse('is not an option; set serving_policy instead', ['policy'])
      if (isNestedDeeperThan(options, maxOptionsDepth)) return refuse(`must nest at most ${maxOptionsDepth} deep`)
      if (Buffer.byteLength(toText(options)) > maxOptionsBytes) refuse(`must have at most ${maxOptionsBytes} bytes`)
    })
    .transform(toText)
    .meta({
      description: `Further members of the serving policy, for clients that know them: kept and answered unread. Replaced as a whole; at most ${maxOptionsBytes / 1024} KiB of JSON, nested at most ${maxOptionsDepth} deep.`,
    }),
)

/** The fields of a patch. They parse to the stored form. */
export const orgPoliciesFields = lazy(() => ({
  serving_policy: servingPolicyField(),
  serving_policy_options: optionsField(),
  telemetry_enabled: z.boolean().meta({ description: 'Whether SDKs and servers send telemetry.' }),
  privacy_mode: z.enum(privacyModes).meta({ description: 'How much of requests is kept.' }),
}))

export const orgPoliciesSchema = lazy(() =>
  z
    .object({ ...orgPoliciesFields(), serving_policy_options: z.record(z.string(), z.unknown()) })
    .meta({ id: 'OrgPolicies', description: 'Serving and data-handling policies of an organization.' }),
)

export type OrgPoliciesView = z.infer<ReturnType<typeof orgPoliciesSchema>>

/** Options are stored as JSON text: DynamoDB has other number limits and does not keep the order of members. */
export type OrgPoliciesRecord = Omit<OrgPoliciesView, 'serving_policy_options'> & { serving_policy_options: string }

export const defaultOrgPolicies: OrgPoliciesRecord = {
  serving_policy: 'auto',
  serving_policy_options: '{}',
  telemetry_enabled: true,
  privacy_mode: 'standard',
}

export const toOrgPoliciesView = ({
  serving_policy_options: text,
  ...policies
}: OrgPoliciesRecord): OrgPoliciesView => ({
  serving_policy: policies.serving_policy,
  serving_policy_options: JSON.parse(text),
  telemetry_enabled: policies.telemetry_enabled,
  privacy_mode: policies.privacy_mode,
})
