/** What is written of a provider's key, by connections and credentials alike. */
import * as z from 'zod'
import { nameField } from '../fields.ts'
import { lazy } from '../lazy.ts'
import { apiRootField } from '../outbound/rules.ts'
import { type InputFault, invalidInput } from '../problem.ts'
import { secretNeeded } from '../secrets/destination.ts'
import { type Secret, secretField } from '../secrets/secret.ts'
import { type ProviderName, providerField, providersWithoutRoot } from './providers.ts'

/** A secret that travels in a header: printable ASCII without spaces, at most 4096 bytes. */
export const headerSecretField = lazy(() =>
  secretField(
    z
      .string()
      .min(1)
      .max(4096)
      // Escaped, for esbuild leaves patterns as they are: one such character, and all of a bundle's text takes twice the memory.
      .refine(
        (text) => !/^(?:bearer\s|authorization:)/i.test(text),
        'must be the key alone, without `Bearer` before it',
      )
      .refine((text) => !/^(["'`]).*\1$/.test(text), 'must not stand in quotation marks: paste the key without them')
      .regex(/^[\x21-\x7e\u2026]*$/, 'must be printable ASCII without spaces or line breaks'),
  ).meta({ description: 'Written, never read: answers show `masked`.' }),
)

const baseUrlField = lazy(() =>
  apiRootField().meta({
    description:
      'Root of the API: https://host/v1 of openai_compatible, https://my-resource.openai.azure.com of azure_openai. These two must have one, and no other provider may.',
  }),
)

/** The fields of a create. Whether `base_url` fits the provider is for `baseUrlFor` to say. */
export const createKeyFields = lazy(() => ({
  provider: providerField(),
  name: nameField(),
  api_key: headerSecretField(),
  base_url: baseUrlField().optional(),
}))

export const patchKeyFields = lazy(() => ({
  name: nameField(),
  api_key: headerSecretField(),
  base_url: baseUrlField(),
}))

const fault = (code: string, message: string): InputFault => ({ path: 'base_url', code, message })

/**
 * The base URL that a new record keeps.
 *
 * @throws ProblemError `invalid_input` when it does not fit the provider
 */
export function baseUrlFor(provider: ProviderName, baseUrl: string | undefined): string | null {
  if (providersWithoutRoot.includes(provider)) {
    if (baseUrl === undefined) throw invalidInput([fault('missing_field', `is required for ${provider}`)])
    return baseUrl
  }
  if (baseUrl !== undefined)
    throw invalidInput([
      fault('not_allowed', `is only for ${providersWithoutRoot.join(' and ')}; ${provider} has its own`),
    ])
  return null
}

/**
 * The base URL that a record keeps under a patch: whoever names a new one must know the key that is sent there.
 *
 * @throws ProblemError `invalid_input`
 */
export function patchedBaseUrl(
  { provider, base_url }: { provider: ProviderName; base_url: string | null },
  patch: { base_url?: string | undefined; api_key?: Secret | undefined },
): string | null {
  if (patch.base_url === undefined) return base_url
  const wanted = baseUrlFor(provider, patch.base_url)
  if (wanted !== base_url && patch.api_key === undefined)
    throw invalidInput([secretNeeded('api_key', 'base_url', false)])
  return wanted
}

/** What is kept and shown of a key, beside its ciphertext. */
export const shownKeyFields = lazy(() => ({
  masked: z.string().meta({ description: '`…` and the last 4 characters of the key.' }),
  key_version: z.int().min(1).meta({ description: 'Counts the keys that this record has had.' }),
}))
