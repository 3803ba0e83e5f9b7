/** BYOK credentials: keys for cloud AI providers that inference can use. This code never calls the provider. */
import * as z from 'zod'
import { idSchema } from '../ids.ts'
import { lazy } from '../lazy.ts'
import { shownKeyFields } from '../providers/key-fields.ts'
import { providerField } from '../providers/providers.ts'
import type { StoredRecord } from '../storage/record.ts'

export const credentialSchema = lazy(() =>
  z
    .object({
      id: idSchema('cred', 'Id of the credential.'),
      provider: providerField(),
      name: z.string(),
      base_url: z.string().nullable(),
      enabled: z.boolean().meta({ description: 'Whether inference may use the credential.' }),
      ...shownKeyFields(),
      created_at: z.iso.datetime(),
      updated_at: z.iso.datetime(),
    })
    .meta({ id: 'CloudCredential', description: 'A key for a cloud AI provider. The key is never shown.' }),
)

export type CredentialView = z.infer<ReturnType<typeof credentialSchema>>
export type CredentialRecord = CredentialView & StoredRecord & { ciphertext: Uint8Array }

export const toCredentialView = (credential: CredentialRecord): CredentialView => ({
  id: credential.id,
  provider: credential.provider,
  name: credential.name,
  base_url: credential.base_url,
  enabled: credential.enabled,
  masked: credential.masked,
  key_version: credential.key_version,
  created_at: credential.created_at,
  updated_at: credential.updated_at,
})

/** The fields that an event shows. */
export const toAuditFields = ({ provider, name, base_url, enabled, masked, key_version }: CredentialRecord) => ({
  provider,
  name,
  base_url,
  enabled,
  masked,
  key_version,
})
