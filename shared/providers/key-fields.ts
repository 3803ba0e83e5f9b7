/** Request fields for a provider's key, shared by connections and credentials. */
import * as z from 'zod'
import { nameField } from '../fields.ts'
import { lazy } from '../lazy.ts'
import { apiRootField } from '../outbound/rules.ts'
import { type InputFault, invalidInput } from '../problem.ts'
import { secretNeeded } from '../secrets/destination.ts'
import { type Secret, secretField } from '../secrets/secret.ts'
import { type ProviderName, providerField, providersWithoutRoot } from './providers.ts'

/** A secret for an HTTP header: printable ASCII without spaces, at most 4096 bytes. */
export const headerSecretField = lazy(() =>
  secretField(
    z
      .string()
      .min(1)
      .max(4096)
      // Escaped, since esbuild does not escape patterns. One such character doubles the memory of the bundle's whole
      // text.
      .refine(
        (text) => !/^(?:bearer\s|authorization:)/i.test(text),
        'must be the key alone, without `Bearer` before it',
      )
      .refine((text) => !/^(["'`]).*\1$/.test(text), 'must not be in quotation marks: paste the key without them')
      .regex(/^[\x21-\x7e\u2026]*$/, 'must be printable ASCII without spaces or line breaks'),
  ).meta({ description: 'Write-only: answers show `masked`.' }),
)

const baseUrlField = lazy(() =>
  apiRootField().meta({
    description:
      'Root of the API: https://host/v1 of openai_compatible, https://my-resource.openai.azure.com of azure_openai. Required for these two providers and forbidden for all others.',
  }),
)

/** The fields of a create. `baseUrlFor` checks whether `base_url` fits the provider. */
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
 * The base URL of a new record.
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
      fault('not_allowed', `is only for ${providersWithoutRoot.join(' and ')}; ${provider} has a fixed one`),
    ])
  return null
}

/**
 * The base URL of a record after a patch. A new URL requires the key again, to prevent exfiltration.
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

/** The stored and visible fields of a key, besides its ciphertext. */
export const shownKeyFields = lazy(() => ({
  masked: z.string().meta({ description: '`…` and the last 4 characters of the key.' }),
  key_version: z.int().min(1).meta({ description: 'The number of keys that this record has had.' }),
}))
