import { getKey } from '../../shared/api-keys/find.ts'
import { serve } from '../../shared/http/serve.ts'
import { getApiKey } from './contract.ts'
import { keyAnswer } from './key-answers.ts'

/** One key record. */
export const handler = serve(getApiKey, async ({ caller, params, now }) =>
  keyAnswer(await getKey(caller.orgId, params.key_id), now),
)
