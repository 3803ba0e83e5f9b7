/** Credentials in the records of the published contract. */
import * as z from 'zod'
import type { CredentialView } from '../../shared/cloud-credentials/record.ts'
import { named, optional, publishedName, wire } from '../../shared/http/published.ts'
import { lazy } from '../../shared/lazy.ts'

const names = { name: 'label', enabled: 'is_active' }

/** Credential use and errors are not recorded: this service never calls a provider with a credential. */
const toCredential = (credential: CredentialView) => ({
  id: credential.id,
  provider: credential.provider,
  label: credential.name,
  is_active: credential.enabled,
  base_url: credential.base_url,
  last_used_at: null,
  last_error: null,
  created_at: credential.created_at,
  updated_at: credential.updated_at,
})

export const credentialView = lazy(() => wire({ names, toAnswer: toCredential }))

export const credentialCreation = lazy(() =>
  wire({
    body: z.strictObject({
      provider: z.string(),
      api_key: z.string(),
      label: optional(publishedName()),
      base_url: optional(z.string()),
    }),
    names,
    toInput: ({ label, ...rest }) => ({ ...named(rest), name: label ?? 'default' }),
    toAnswer: toCredential,
  }),
)

export const credentialPatch = lazy(() =>
  wire({
    body: z.strictObject({
      api_key: optional(z.string()),
      label: optional(publishedName()),
      base_url: optional(z.string()),
      is_active: optional(z.boolean()),
    }),
    names,
    toInput: ({ label, is_active, ...rest }) => named({ ...rest, name: label, enabled: is_active }),
    toAnswer: toCredential,
  }),
)
