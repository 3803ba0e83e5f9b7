import { envTarget, envTargetId } from '../../shared/execution/local-target.ts'
import { localTargets } from '../../shared/execution/local-target-entity.ts'
import { resource } from '../../shared/http/answer.ts'
import { recordAnswer } from '../../shared/http/record-answers.ts'
import { serve } from '../../shared/http/serve.ts'
import { getRecord } from '../../shared/storage/record.ts'
import { getLocalTarget } from './contract.ts'

/** One target, its key masked. */
export const handler = serve(getLocalTarget, async ({ caller, params }) => {
  const named = params.target_id === envTargetId ? envTarget() : undefined
  if (named) return resource(named)
  return recordAnswer(localTargets, await getRecord(localTargets, caller.orgId, params.target_id))
})
