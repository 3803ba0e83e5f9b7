import { envTarget, toLocalTargetView } from '../../shared/execution/local-target.ts'
import { localTargets } from '../../shared/execution/local-target-entity.ts'
import { listPage } from '../../shared/http/page.ts'
import { serve } from '../../shared/http/serve.ts'
import { listRecords } from '../../shared/storage/record.ts'
import { listLocalTargets } from './contract.ts'

/** Lists targets, newest first, after the target of the deployment. */
export const handler = serve(listLocalTargets, (call) =>
  listPage(call, async (_filter, page) => {
    const { data, next } = await listRecords(localTargets, call.caller.orgId, page)
    const named = page.after === undefined ? envTarget() : undefined
    return { data: [...(named ? [named] : []), ...data.map(toLocalTargetView)], next }
  }),
)
