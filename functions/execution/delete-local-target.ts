import { getChangeableTarget, localTargets } from '../../shared/execution/local-target-entity.ts'
import { noContent } from '../../shared/http/answer.ts'
import { requireRecordMatch } from '../../shared/http/record-answers.ts'
import { serve } from '../../shared/http/serve.ts'
import { recordDeleted } from '../../shared/storage/record.ts'
import { deleteLocalTarget } from './contract.ts'

/** Deletes a target with its key. A second call answers 404. */
export const handler = serve(deleteLocalTarget, async ({ caller, params, headers, commit }) => {
  const target = await getChangeableTarget(caller.orgId, params.target_id)
  requireRecordMatch(headers, localTargets, target)
  return commit(recordDeleted(localTargets, caller.orgId, target), noContent)
})
