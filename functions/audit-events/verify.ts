import { ok } from '../../shared/http/answer.ts'
import { cursorsFor } from '../../shared/http/page.ts'
import { serve } from '../../shared/http/serve.ts'
import { verifyTrail } from '../../shared/trail/verify.ts'
import { verifyAuditChain } from './contract.ts'

/** Checks one page of the trail. */
export const handler = serve(verifyAuditChain, async ({ caller, query, now }) => {
  const cursors = cursorsFor(caller.orgId, { verify: true })
  const after = cursors.decode(query.cursor)
  const { next, ...verdict } = await verifyTrail(caller.orgId, { limit: query.limit, after, now })
  return ok({ ...verdict, next_cursor: cursors.encode(next) })
})
