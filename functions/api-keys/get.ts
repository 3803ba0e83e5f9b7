import { getKey } from '../../shared/api-keys/find.ts'
import { toKeyView } from '../../shared/api-keys/record.ts'
import { resource } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { getApiKey } from './contract.ts'

/** One key record. */
export const handler = serve(getApiKey, async ({ caller, params, now }) =>
  resource(toKeyView(await getKey(caller.orgId, params.key_id), now)),
)
