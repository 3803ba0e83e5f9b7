/** Usage limits. */
import { changeAccess, readAccess } from '../../shared/access.ts'
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
  description: 'The limit of every metric, whether it is the plan’s or the organization’s own, and the plan’s ceiling.',
  answers: () => ({ 200: usageLimitsSchema() }),
  published: [{ id: 'settings.usage_limits.get', records: { answer: 'UsageLimitsResponse' }, wire: usageLimitsView }],
  access: readAccess,
})

export const updateUsageLimits = operation({
  id: 'settings.update-usage-limits',
  route: 'PUT /api/v2/settings/usage-limits',
  tag,
  scope: 'settings:write',
  summary: 'Set usage limits',
  description:
    'Sets the metrics that are in the body, all or none of them. `null` means no limit below the plan’s. A limit above the plan’s ceiling is refused with 402 and the plan that would allow it.',
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
  access: changeAccess,
  audit: { action: 'usage_limits.updated', resource: 'usage_limits' },
})
