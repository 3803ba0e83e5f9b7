import { credentials, keyOf } from '../../shared/cloud-credentials/entity.ts'
import { serveCreation } from '../../shared/http/serve-creation.ts'
import { baseUrlFor } from '../../shared/providers/key-fields.ts'
import { encrypt } from '../../shared/secrets/encrypt.ts'
import { createCredential } from './contract.ts'

/** Stores a key for a provider. */
export const handler = serveCreation(createCredential, {
  kind: credentials,
  idPrefix: 'cred',
  validate: ({ body }) => baseUrlFor(body.provider, body.base_url),
  build: async ({ caller: { orgId }, body }, fresh) => {
    const { api_key, provider, name, enabled } = body
    const key = await encrypt(api_key, keyOf(orgId, fresh.id))
    const base_url = baseUrlFor(provider, body.base_url)
    return { ...fresh, provider, name, base_url, enabled, ...key, key_version: 1 }
  },
})
