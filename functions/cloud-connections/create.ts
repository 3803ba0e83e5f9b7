import { connections } from '../../shared/cloud-connections/entity.ts'
import { newKey } from '../../shared/cloud-connections/new-key.ts'
import { serveCreation } from '../../shared/http/serve-creation.ts'
import { baseUrlFor } from '../../shared/providers/key-fields.ts'
import { createConnection } from './contract.ts'

/** Verifies the key with its provider, and stores the connection with the verdict. */
export const handler = serveCreation(createConnection, {
  kind: connections,
  idPrefix: 'conn',
  validate: ({ body }) => baseUrlFor(body.provider, body.base_url),
  build: async ({ caller: { orgId }, body, now }, fresh) => {
    const { api_key, ...settings } = body
    const { provider } = settings
    const base_url = baseUrlFor(provider, settings.base_url)
    const key = await newKey({ orgId, id: fresh.id, now }, { provider, base_url }, api_key)
    return { ...fresh, ...settings, base_url, ...key, key_version: 1 }
  },
})
