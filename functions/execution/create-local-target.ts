import { untested } from '../../shared/execution/local-target.ts'
import { keyOf, localTargets } from '../../shared/execution/local-target-entity.ts'
import { serveCreation } from '../../shared/http/serve-creation.ts'
import { encrypt } from '../../shared/secrets/encrypt.ts'
import { createLocalTarget } from './contract.ts'

/** Registers a runtime, with its API key if it has one. */
export const handler = serveCreation(createLocalTarget, {
  kind: localTargets,
  idPrefix: 'tgt',
  build: async ({ caller: { orgId }, body }, fresh) => {
    const { api_key, ...fields } = body
    const key = api_key ? await encrypt(api_key, keyOf(orgId, fresh.id)) : { ciphertext: null, masked: null }
    return { ...fresh, ...fields, ...key, key_version: api_key ? 1 : 0, ...untested }
  },
})
