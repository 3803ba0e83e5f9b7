/** When an organization's inference can fall back to the cloud, with which keys and providers. */
import * as z from 'zod'
import { lazy } from '../lazy.ts'
import { type InputFault, invalidInput } from '../problem.ts'
import { isModelId } from '../providers/model-id.ts'
import { providerField, providerNames } from '../providers/providers.ts'

/** Keys of credentials (`byok`), keys of connections, and keys of the platform. */
export const credentialSources = ['byok', 'connection', 'managed'] as const
export type CredentialSource = (typeof credentialSources)[number]

const isProviderModel = (text: string): boolean => {
  const [provider = '', ...rest] = text.split('/')
  return (providerNames as readonly string[]).includes(provider) && isModelId(rest.join('/'))
}

/** A set in the documented order, so that equal sets are equal records. */
const setOf = <T extends string>(entry: z.ZodType<T, T>, order: readonly T[]) =>
  z
    .array(entry)
    .max(100)
    .transform((list) => order.filter((name) => list.includes(name)))

export const cloudPolicyFields = lazy(() => ({
  cloud_enabled: z.boolean().meta({ description: 'Whether inference may use the cloud at all.' }),
  credential_sources: setOf(z.enum(credentialSources), credentialSources).meta({
    description: 'Sources of keys that inference may use: stored credentials, connections, the platform.',
  }),
  provider_allowlist: setOf(providerField(), providerNames)
    .nullable()
    .meta({ description: 'Providers that may be used; null: all.' }),
  default_fallback_model: z
    .string()
    .max(350)
    .refine(isProviderModel, 'must be provider/model, with one of the providers')
    .nullable()
    .meta({ description: '`provider/model` to fall back to when a request names none.' }),
}))

export const cloudPolicySchema = lazy(() =>
  z
    .object({
      cloud_enabled: z.boolean(),
      credential_sources: z.array(z.enum(credentialSources)),
      provider_allowlist: z.array(providerField()).nullable(),
      default_fallback_model: z.string().nullable(),
    })
    .meta({ id: 'CloudPolicy', description: 'When inference may fall back to the cloud.' }),
)

export type CloudPolicy = z.infer<ReturnType<typeof cloudPolicySchema>>

export const defaultCloudPolicy: CloudPolicy = {
  cloud_enabled: true,
  credential_sources: [...credentialSources],
  provider_allowlist: null,
  default_fallback_model: null,
}

/**
 * Refuses a contradictory policy. A policy that disables the cloud cannot contradict itself.
 *
 * @throws ProblemError `invalid_input`
 */
export function requireCoherent(policy: CloudPolicy): void {
  if (!policy.cloud_enabled) return
  const { credential_sources, provider_allowlist, default_fallback_model } = policy
  const faults: InputFault[] = []
  const fault = (path: keyof CloudPolicy, message: string) => faults.push({ path, code: 'contradiction', message })
  const remedy = 'or set cloud_enabled to false'
  if (credential_sources.length === 0) fault('credential_sources', `must name at least one, ${remedy}`)
  if (provider_allowlist?.length === 0)
    fault('provider_allowlist', `must name at least one provider or be null for all, ${remedy}`)
  const provider = default_fallback_model?.split('/', 1)[0]
  if (provider !== undefined && provider_allowlist && !(provider_allowlist as string[]).includes(provider))
    fault('default_fallback_model', `is a model of ${provider}, which provider_allowlist does not name`)
  if (faults.length > 0) throw invalidInput(faults)
}
