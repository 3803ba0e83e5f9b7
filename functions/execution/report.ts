import { principalOf } from '../../shared/auth/caller.ts'
import { takeReports } from '../../shared/execution/report-entity.ts'
import { serve } from '../../shared/http/serve.ts'
import { reportExecution } from './contract.ts'

/** Takes in what a server saw of its targets. */
export const handler = serve(reportExecution, async ({ caller, body, now, deadline }) => {
  const reporter = body.reporter_id ?? principalOf(caller)
  await takeReports(body.reports, { orgId: caller.orgId, reporter, now, deadline })
  return { status: 202, body: { accepted: body.reports.length } }
})
