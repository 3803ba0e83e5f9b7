import { reporterOf, takeReports } from '../../shared/execution/report-entity.ts'
import { accepted } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { reportExecution } from './contract.ts'

/** Stores a server's report on its targets. */
export const handler = serve(reportExecution, async ({ caller, body, now, requestId, deadline }) => {
  const reporter = reporterOf(caller, body.reporter_id)
  await takeReports(body.reports, { orgId: caller.orgId, reporter, requestId, now, deadline })
  return accepted({ accepted: body.reports.length })
})
