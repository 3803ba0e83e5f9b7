/** Usage limits. */
import { changeAccess, listAccess } from '../../shared/access.ts'
import { operation } from '../../shared/http/operation.ts'
import { usageLimitsBody, usageLimitsSchema } from '../../shared/usage-limits/record.ts'
import { usageLimitsView } from './wire.ts'

const tag = 'Usage limits'

export const getUsageLimits = operation({
  id: 'settings.get-usage-limits',
  route: 'GET /api/v2/settings/usage-limits',
  tag,
  scope: 'settings:read',
  summary: 'Get usage limits',
  description:
    'Returns the limit of every metric, its source (plan or organization), the plan’s ceiling, and this month’s usage. The ETag covers limits and modes, not the usage.',
  answers: () => ({ 200: usageLimitsSchema() }),
  published: [{ id: 'settings.usage_limits.get', records: { answer: 'UsageLimitsResponse' }, wire: usageLimitsView }],
  access: listAccess,
})

export const updateUsageLimits = operation({
  id: 'settings.update-usage-limits',
  route: 'PUT /api/v2/settings/usage-limits',
  tag,
  scope: 'settings:write',
  summary: 'Set usage limits',
  description:
    'Sets the limits in the body, all or none. You can set limits up to your plan’s ceiling. Above it: 402, naming the plan you need. `null` removes your limit, so the plan’s ceiling applies.',
  request: () => ({ body: usageLimitsBody() }),
  answers: () => ({ 200: usageLimitsSchema() }),
  refusals: ['plan_limit_reached'],
  published: [
    {
      id: 'settings.usage_limits.update',
      records: { request: 'UpdateUsageLimitsRequest', answer: 'UsageLimitsResponse' },
      wire: usageLimitsView,
    },
  ],
  access: { table: [...changeAccess.table, 'Query'] },
  audit: { action: 'usage_limits.updated', resource: 'usage_limits' },
})
