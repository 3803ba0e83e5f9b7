/** Usage: records of what an organization used, and its counters. */
import { listAccess } from '../../shared/access.ts'
import { operation } from '../../shared/http/operation.ts'
import { periodQuery, usageRecordedSchema, usageRecordsBody, usageSchema } from '../../shared/usage/record.ts'

const tag = 'Usage'

export const getUsage = operation({
  id: 'settings.get-usage',
  route: 'GET /api/v2/settings/usage',
  tag,
  scope: 'usage:read',
  summary: 'Get usage',
  description:
    'Returns the usage of every metric in one calendar month (UTC), in total and by day, under the limits of today. Thirteen months are kept: this one and twelve before it. A sum starts each month at zero. A level starts it at its last value.',
  request: () => ({ query: periodQuery() }),
  answers: () => ({ 200: usageSchema() }),
  access: listAccess,
})

export const recordUsage = operation({
  id: 'settings.record-usage',
  route: 'POST /api/v2/settings/usage/records',
  tag,
  scope: 'usage:write',
  summary: 'Record usage',
  description:
    'Counts up to 100 records. `record` always counts. `consume` counts all new records, or none if a limit with mode `enforce` would be passed; that answer is 200 with `permitted: false`. A record with an `id` counts once in 48 hours, so a repeated request is safe. The first use at 80 % and at 100 % of a limit in a month appends `usage.threshold_reached` to the audit trail. Send batches: concurrent requests of one organization wait for each other.',
  request: () => ({ body: usageRecordsBody() }),
  answers: () => ({ 200: usageRecordedSchema() }),
  refusals: ['conflict', 'not_found'],
  withoutEvent: true,
  access: { table: ['BatchGetItem', 'ConditionCheckItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem'] },
})
